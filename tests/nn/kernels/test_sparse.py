import torch

from mmrec.nn.kernels.sparse import csr, sparse_product


def test_product_and_gradient_equal_those_of_dense_matrices() -> None:
    torch.manual_seed(0)
    dense = torch.randn(5, 4) * (torch.rand(5, 4) < 0.5)

    def sparse(matrix: torch.Tensor) -> torch.Tensor:
        row, column = torch.nonzero(matrix, as_tuple=True)
        return csr(torch.bincount(row, minlength=len(matrix)), column, matrix[row, column], matrix.shape[1])

    plain, ours = (torch.randn(4, 3, generator=torch.Generator().manual_seed(1)).requires_grad_() for _ in range(2))
    product = sparse_product(sparse(dense), sparse(dense.T.contiguous()), ours)
    torch.testing.assert_close(product, dense @ plain)
    (product**3).sum().backward()
    ((dense @ plain) ** 3).sum().backward()
    torch.testing.assert_close(ours.grad, plain.grad)
