import pytest
import torch
from torch_geometric.nn import LGConv

from mmrec.data.catalog import TrainView
from mmrec.nn.graph_encoder import GraphEncoder


def random_view() -> TrainView:
    torch.manual_seed(0)
    counts = torch.randint(1, 9, (30,))
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    items = torch.randint(1, 20, (int(offsets[-1]),))
    return TrainView(30, 20, offsets, items, torch.zeros(len(items)))


@pytest.mark.parametrize("pooling", ["mean", "sum"])
def test_equals_pytorch_geometric(pooling: str) -> None:
    view = random_view()
    encoder = GraphEncoder(layers=3, pooling=pooling)
    encoder.set_graph(view)
    users, items = torch.randn(30, 8, requires_grad=True), torch.randn(20, 8, requires_grad=True)

    edges = torch.unique(torch.stack([view.users, view.items + 30]), dim=1)
    conv, layers = LGConv(), [torch.cat([users, items])]
    for _ in range(3):
        layers.append(conv(layers[-1], torch.cat([edges, edges.flip(0)], dim=1)))
    expected = torch.stack(layers).mean(0) if pooling == "mean" else torch.stack(layers).sum(0)

    actual = torch.cat(encoder(users, items))
    torch.testing.assert_close(actual, expected)
    weight = torch.randn(50, 8)
    for a, b in zip(
        torch.autograd.grad((actual * weight).sum(), [users, items]),
        torch.autograd.grad((expected * weight).sum(), [users, items]),
        strict=True,
    ):
        torch.testing.assert_close(a, b)
