import pytest
import torch

from mmrec.models.score_factors import fit_factors


def quality(best: list[float], noise: float) -> object:
    """Return a quality that is highest at some factors, with noise that depends on the factors."""

    def measured(factors: list[float]) -> torch.Tensor:
        generator = torch.Generator().manual_seed(hash(tuple(factors)) % 2**31)
        distance = sum(abs(f - b) for f, b in zip(factors, best, strict=True))
        return 1 - 0.1 * distance + noise * torch.randn(400, generator=generator)

    return measured


@pytest.mark.parametrize("best", [[1.0, 1.0, 1.0], [0.25, 0.25, 0.25], [0.25, 0.5, 0.0], [4.0, 2.0, 2.0]])
def test_the_best_factors_are_found(best: list[float]) -> None:
    assert fit_factors(quality(best, 0.001), 3) == best


def test_gains_below_their_noise_change_nothing() -> None:
    assert fit_factors(quality([1.5, 1.0], 1e9), 2) == [1.0, 1.0]
    assert fit_factors(lambda _: torch.rand(1), 2) == [1.0, 1.0]  # one instance has no spread
