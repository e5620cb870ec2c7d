import torch

from mmrec.nn.kernels.lookup import look_up, look_up_all, look_up_places, look_up_scalars


def test_rows_and_gradients_equal_those_of_indexing() -> None:
    torch.manual_seed(0)
    table, indices = torch.randn(6, 3), [torch.randint(6, (4, 2)), torch.randint(6, (5,))]
    row, position = torch.tensor([0, 0, 3]), torch.tensor([1, 0, 1])
    forms = [
        lambda t: [look_up(indices[0], t)],
        lambda t: look_up_all(indices, t),
        lambda t: [look_up_places(row, position, t[indices[0]])],
    ]
    plains = [
        lambda t: [t[indices[0]]],
        lambda t: [t[index] for index in indices],
        lambda t: [t[indices[0]][row, position]],
    ]
    for form, plain in zip(forms, plains, strict=True):
        results = []
        for of in (form, plain):
            learned = table.clone().requires_grad_()
            rows = of(learned)
            sum((part**3).sum() for part in rows).backward()
            results.append([*rows, learned.grad])
        for ours, expected in zip(*results, strict=True):
            torch.testing.assert_close(ours, expected)


def test_scalars_and_their_gradient_equal_those_of_indexing() -> None:
    torch.manual_seed(0)
    index, table = torch.randint(9, (3, 4, 4)), torch.randn(9)
    plain, ours = table.clone().requires_grad_(), table.clone().requires_grad_()
    torch.testing.assert_close(look_up_scalars(index, ours), plain[index])
    (look_up_scalars(index, ours) ** 3).sum().backward()
    (plain[index] ** 3).sum().backward()
    torch.testing.assert_close(ours.grad, plain.grad)
