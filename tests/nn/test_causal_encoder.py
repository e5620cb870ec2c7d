import pytest
import torch

from mmrec.batch import Clock
from mmrec.nn.causal_encoder import CausalEncoder
from mmrec.nn.recurrent_encoder import RecurrentEncoder
from mmrec.nn.sequence_encoder import SequenceEncoder
from mmrec.nn.transformer_block import TransformerOptions


def encoder_of(kind: str) -> CausalEncoder:
    if kind == "recurrent":
        return RecurrentEncoder(8, hidden_dim=6, layers=2, dropout=0.0)
    options = TransformerOptions(
        layers=0 if "without" in kind else 2, heads=2, ffn_dim=16, dropout=0.0,
        block="ligr" if kind == "gated" else "plain", time_bias="time" in kind,
    )  # fmt: skip
    encoder = SequenceEncoder(8, 7, options)
    for block in encoder.blocks if options.time_bias else ():
        torch.nn.init.normal_(block.attention.time_bias.weight)
    return encoder


def clock(rows: int, length: int) -> Clock:
    times = torch.randint(0, 10**6, (rows, length + 1)).cumsum(dim=1)
    return Clock(times[:, :-1], times[:, 1:])


@pytest.mark.parametrize("tokens", [None, 1, 14, 1000])
@pytest.mark.parametrize("kind", ["transformer", "time-aware", "recurrent"])
def test_states_in_groups_equal_the_whole_padded_batch(
    kind: str, tokens: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    encoder = encoder_of(kind)
    monkeypatch.setattr(type(encoder), "tokens_at_once", tokens)
    vectors = torch.randn(30, 8, requires_grad=True)
    items = torch.randint(1, 30, (9, 7))  # without padding after the wanted positions, whose items must have no effect
    places = torch.rand(9, 7) < 0.4
    places[4:7] = False  # rows, and with few tokens whole groups, without a wanted position
    row, position = torch.nonzero(places, as_tuple=True)
    times = clock(9, 7)
    ours = encoder.states_at(items, times, vectors, row, position)
    whole = encoder(vectors[items], times)[row, position]
    torch.testing.assert_close(ours, whole)
    parameters = [vectors, *encoder.parameters()]
    for a, b in zip(*(torch.autograd.grad(x.square().sum(), parameters) for x in (ours, whole)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["transformer", "time-aware", "gated", "transformer without blocks", "recurrent"])
def test_one_position_of_each_row_equals_the_whole(kind: str) -> None:
    torch.manual_seed(0)
    encoder, times = encoder_of(kind), clock(5, 7)
    vectors, items = torch.randn(30, 8), torch.randint(1, 30, (5, 7))
    row, position = torch.arange(5), torch.tensor([0, 3, 6, 2, 5])
    ours = encoder.states_at(items, times, vectors, row, position)
    torch.testing.assert_close(ours, encoder(vectors[items], times)[row, position])


@pytest.mark.parametrize("kind", ["transformer", "time-aware"])
def test_a_compiled_encoder_gives_the_same_states_for_windows_of_any_length(kind: str) -> None:
    torch.manual_seed(0)
    encoder, times = encoder_of(kind), clock(5, 4)  # shorter than max_length, which it is compiled for
    vectors, items = torch.randn(30, 8), torch.randint(1, 30, (5, 4))
    place = torch.nonzero(torch.ones(5, 3), as_tuple=True)
    plain = encoder.states_at(items, times, vectors, *place)
    graphs = []
    encoder.compile(backend=lambda graph, example: graphs.append(graph) or graph.forward, fullgraph=True, dynamic=False)
    for length in (4, 3):
        ours = encoder.states_at(items[:, :length], Clock(*(time[:, :length] for time in times)), vectors, *place)
        torch.testing.assert_close(ours, plain)
    assert len(graphs) == 1  # the encoder was compiled, and only once


def test_positions_after_the_last_wanted_one_are_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, lengths = SequenceEncoder(8, 7, TransformerOptions(layers=1, ffn_dim=16, dropout=0.0)), []
    monkeypatch.setattr(SequenceEncoder, "tokens_at_once", 14)
    monkeypatch.setattr(SequenceEncoder, "forward", lambda self, x, clock: lengths.append(x.shape[:2]) or x)
    items = torch.randint(1, 30, (4, 7))
    encoder.states_at(items, clock(4, 7), torch.randn(30, 8), torch.tensor([0, 1, 3]), torch.tensor([1, 2, 6]))
    assert lengths == [(2, 3), (2, 7)]
