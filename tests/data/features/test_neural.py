"""Encoders with a network: batches, exhausted memory, devices."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmrec.data.features.encoders.neural import CPU_BATCH, Network, NeuralEncoder, optional_package
from mmrec.errors import InvalidArgument, UserError
from tests.data.features.encoding import encoded, frame


class Lengths(NeuralEncoder):
    """The vector of a text is its length, three times. Memory holds `room` texts; records the sizes of its batches."""

    name = "lengths"

    def __init__(self, room=999, error=torch.OutOfMemoryError, batch_size="auto"):
        super().__init__(batch_size, "cpu", "fp32")
        self.room, self.error, self.batches = room, error, []

    def load(self, device):
        def embed(modality, batch):
            self.batches.append(len(batch))
            if len(batch) > self.room:
                raise self.error("CUDA out of memory. Tried to allocate")
            return torch.tensor([[len(text)] * 3 for text in batch], device=device)

        return Network(embed)


TEXTS = ["x" * length for length in range(1, 71)]


@pytest.mark.parametrize(("batch_size", "sizes"), [("auto", [CPU_BATCH, CPU_BATCH, 6]), (50, [50, 20])])
def test_batches_cover_a_part_in_order(batch_size, sizes):
    encoder = Lengths(batch_size=batch_size)
    rows, vectors, _ = encoded(encoder, frame(texts=TEXTS), "text", part=128)
    assert encoder.batches == sizes
    np.testing.assert_array_equal(vectors, np.repeat(rows[:, None], 3, axis=1))


def test_exhausted_memory_halves_all_later_batches(caplog):
    encoder = Lengths(room=10)
    rows, vectors, _ = encoded(encoder, frame(texts=TEXTS), "text", part=60)
    assert encoder.batches == [32, 16, *[8] * 7, 4, 8, 2]
    np.testing.assert_array_equal(vectors[:, 0], rows)
    assert "cpu ran out of memory, continuing with batches of 8" in caplog.text


def test_single_item_that_exceeds_memory_is_refused():
    with pytest.raises(UserError, match="lengths: cpu has not enough memory for one text"):
        encoded(Lengths(room=0), frame(texts=TEXTS), "text")


def test_other_errors_are_not_mistaken_for_exhausted_memory():
    class Other(RuntimeError):
        def __str__(self):
            return "mat1 and mat2 shapes cannot be multiplied"

    with pytest.raises(Other):
        encoded(Lengths(room=3, error=Other), frame(texts=TEXTS), "text")


@pytest.mark.parametrize("size", [0, 129, None])
def test_batch_size_is_checked(size):
    with pytest.raises(InvalidArgument, match=f"batch_size must be a whole number from 1 to 128, but is {size}"):
        Lengths(batch_size=size)


def test_missing_package_is_named():
    with pytest.raises(UserError, match=r"Some cannot import no_such_package .*: pip install 'mmrec\[encoders\]'"):
        optional_package("no_such_package", "Some")
