from math import floor, log2

import pytest
import torch

from mmrec.batch import Clock
from mmrec.nn.sequence_encoder import SequenceEncoder
from mmrec.nn.time_bias import BUCKETS, TimeBias, gap_buckets
from mmrec.nn.transformer_block import TransformerOptions

YEAR = 31_557_600


def test_buckets_are_half_doublings_of_the_gap() -> None:
    gaps = torch.tensor([-7, 0, 1, 2, 3, 5, 11, 59, 3600, 86_400, YEAR, 60 * YEAR, 200 * YEAR])
    start = 4_000_000_000  # beyond an int32
    found = gap_buckets(Clock(torch.tensor([[start]]).expand(len(gaps), 1), start + gaps[:, None])).flatten().tolist()
    for gap, bucket in zip(gaps.clamp(0, 2**31 - 1).tolist(), found, strict=True):
        octave = floor(log2(1 + gap))
        assert bucket == 2 * octave + ((1 + gap) / 2**octave >= 1.5)
    assert max(found) < BUCKETS


def test_a_gap_is_from_the_item_time_of_a_key_to_the_query_time() -> None:
    buckets = gap_buckets(Clock(torch.tensor([[0, 100]]), torch.tensor([[100, 107]])))
    assert buckets[0].tolist() == [[13, 0], [13, 6]]  # 100, 0 and 107, 7 seconds


def test_gradient_equals_that_of_indexing() -> None:
    torch.manual_seed(0)
    bias, buckets = TimeBias(2), torch.randint(0, BUCKETS, (3, 4, 4))
    torch.nn.init.normal_(bias.weight)
    plain = bias.weight.detach().clone().requires_grad_()
    wanted = plain[:, buckets].transpose(0, 1)
    torch.testing.assert_close(bias(buckets), wanted)
    (bias(buckets) ** 3).sum().backward()
    (wanted**3).sum().backward()
    torch.testing.assert_close(bias.weight.grad, plain.grad)


@pytest.mark.parametrize("heads", [1, 2])
def test_only_a_time_aware_encoder_depends_on_the_times(heads: int) -> None:
    torch.manual_seed(0)
    x, early = torch.randn(2, 5, 8), torch.arange(5).expand(2, 5)
    query = early + 1
    for aware in (False, True):
        encoder = SequenceEncoder(8, 5, TransformerOptions(heads=heads, ffn_dim=16, dropout=0.0, time_bias=aware))
        at_zero = encoder(x, Clock(early, query))
        for block in encoder.blocks if aware else ():
            torch.nn.init.normal_(block.attention.time_bias.weight)
        now, later = encoder(x, Clock(early, query)), encoder(x, Clock(early, query + YEAR))
        assert torch.equal(now, later) == (not aware)
        assert torch.allclose(now, at_zero) == (not aware)  # at the start of training it is the plain encoder
