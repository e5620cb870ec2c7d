import pytest
import torch

from mmrec.nn.causal_encoder import CausalEncoder
from mmrec.nn.recurrent_encoder import RecurrentEncoder
from mmrec.nn.sequence_encoder import SequenceEncoder


@pytest.mark.parametrize("tokens", [None, 1, 14, 1000])
@pytest.mark.parametrize("kind", ["transformer", "recurrent"])
def test_states_in_groups_equal_the_whole_padded_batch(
    kind: str, tokens: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    encoder: CausalEncoder = (
        SequenceEncoder(8, 7, 2, 2, 16, 0.0, 0.0) if kind == "transformer" else RecurrentEncoder(8, 6, 2, 0.0)
    )
    monkeypatch.setattr(type(encoder), "tokens_at_once", tokens)
    vectors = torch.randn(30, 8, requires_grad=True)
    items = torch.randint(1, 30, (9, 7))  # beyond the places asked for there is no padding: nothing must see it
    places = torch.rand(9, 7) < 0.4
    places[4:7] = False  # rows, and with few tokens whole groups, of which nothing is asked
    row, position = torch.nonzero(places, as_tuple=True)
    ours, whole = encoder.states_at(items, vectors, row, position), encoder(vectors[items])[row, position]
    torch.testing.assert_close(ours, whole)
    parameters = [vectors, *encoder.parameters()]
    for a, b in zip(*(torch.autograd.grad(x.square().sum(), parameters) for x in (ours, whole)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_places_behind_the_last_one_asked_for_are_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, lengths = SequenceEncoder(8, 7, 1, 1, 16, 0.0, 0.0), []
    monkeypatch.setattr(SequenceEncoder, "tokens_at_once", 14)
    monkeypatch.setattr(SequenceEncoder, "forward", lambda self, x: lengths.append(x.shape[:2]) or x)
    items = torch.randint(1, 30, (4, 7))
    encoder.states_at(items, torch.randn(30, 8), torch.tensor([0, 1, 3]), torch.tensor([1, 2, 6]))
    assert lengths == [(2, 3), (2, 7)]
