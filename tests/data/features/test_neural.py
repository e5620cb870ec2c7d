"""What encoders with a network share: batches, memory that runs out, devices."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmrec.data.features.encoders.neural import CPU_BATCH, Network, NeuralEncoder, optional_package
from mmrec.errors import UserError
from tests.data.features.encoding import encoded, frame


class Lengths(NeuralEncoder):
    """The vector of a text is its length, three times. Memory holds `room` texts; notes the batches it was given."""

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


def test_memory_that_runs_out_halves_the_batches_for_good(caplog):
    encoder = Lengths(room=10)
    rows, vectors, _ = encoded(encoder, frame(texts=TEXTS), "text", part=60)
    assert encoder.batches == [32, 16, *[8] * 7, 4, 8, 2]
    np.testing.assert_array_equal(vectors[:, 0], rows)
    assert "cpu ran out of memory, going on with batches of 8" in caplog.text


def test_one_item_that_does_not_fit_is_an_error():
    with pytest.raises(UserError, match="lengths: cpu has not enough memory for one text"):
        encoded(Lengths(room=0), frame(texts=TEXTS), "text")


def test_other_errors_are_not_taken_for_memory():
    class Other(RuntimeError):
        def __str__(self):
            return "mat1 and mat2 shapes cannot be multiplied"

    with pytest.raises(Other):
        encoded(Lengths(room=3, error=Other), frame(texts=TEXTS), "text")


@pytest.mark.parametrize("size", [0, 129])
def test_batch_size_is_checked(size):
    with pytest.raises(UserError, match=f"batch_size is {size}, it must be auto or between 1 and 128"):
        Lengths(batch_size=size)


def test_a_missing_package_is_named():
    with pytest.raises(UserError, match=r"Some cannot import no_such_package .*: pip install 'mmrec\[encoders\]'"):
        optional_package("no_such_package", "Some")
