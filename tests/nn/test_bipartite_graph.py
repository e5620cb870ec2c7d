import torch

from mmrec.data.catalog import TrainView
from mmrec.nn.bipartite_graph import BipartiteGraph


def test_mean_is_the_mean_over_the_neighbours_with_its_gradient() -> None:
    # User 1 has item 2 twice, user 2 has no item, and item 3 has no user.
    items = torch.tensor([1, 2, 2, 2, 1], dtype=torch.int32)
    view = TrainView(3, 4, torch.tensor([0, 2, 5, 5]), items, torch.zeros(5))
    graph = BipartiteGraph("mean")
    graph.set_graph(view)
    torch.manual_seed(0)
    users, items = torch.randn(3, 5, requires_grad=True), torch.randn(4, 5, requires_grad=True)
    shares = torch.tensor([[0, 0.5, 0.5, 0], [0, 0.5, 0.5, 0], [0, 0, 0, 0]])
    back = torch.tensor([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 0]])
    assert graph.sizes == [3, 4]
    for actual, expected, source in (
        (graph.to_users(items), shares @ items, items),
        (graph.to_items(users), back @ users, users),
    ):
        torch.testing.assert_close(actual, expected)
        weight = torch.randn_like(actual)
        ours, plain = (torch.autograd.grad((x * weight).sum(), source)[0] for x in (actual, expected))
        torch.testing.assert_close(ours, plain)
