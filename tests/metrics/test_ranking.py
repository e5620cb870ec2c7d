import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchmetrics.functional.retrieval import retrieval_hit_rate, retrieval_normalized_dcg, retrieval_reciprocal_rank

from mmrec.metrics.ranking import RankingMetrics, candidate_scores, rank_metrics, rank_of_target


def random_scores(seed: int, rows: int = 40, items: int = 60, ties: bool = False) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(rows, items, generator=generator)
    if ties:
        scores = scores.round()
    return scores, torch.randint(items, (rows,), generator=generator)


def test_metrics_equal_torchmetrics() -> None:
    scores, target = random_scores(0)
    scores = scores - scores.min() + 1  # torchmetrics counts scores of 0 or less as not retrieved
    values = rank_metrics(rank_of_target(scores, target))
    for row, wanted in enumerate(target):
        relevant = torch.zeros(scores.shape[1], dtype=torch.bool)
        relevant[wanted] = True
        for k in (10, 20):
            assert values[f"hr@{k}"][row] == retrieval_hit_rate(scores[row], relevant, top_k=k)
            expected = retrieval_normalized_dcg(scores[row], relevant, top_k=k)
            torch.testing.assert_close(values[f"ndcg@{k}"][row].float(), expected)
        torch.testing.assert_close(values["mrr"][row].float(), retrieval_reciprocal_rank(scores[row], relevant))


@pytest.mark.parametrize("ties", [False, True])
def test_rank_equals_the_naive_loop(ties: bool) -> None:
    scores, target = random_scores(1, ties=ties)
    excluded = (torch.arange(40).repeat(3), torch.randint(60, (120,), generator=torch.Generator().manual_seed(2)))
    gone = set(zip(excluded[0].tolist(), excluded[1].tolist(), strict=True))
    for row, rank in enumerate(rank_of_target(candidate_scores(scores, target, excluded), target).tolist()):
        own = scores[row, target[row]]
        rivals = [scores[row, i] for i in range(60) if i != target[row] and (row, i) not in gone]
        assert rank == 1 + sum(s > own for s in rivals) + sum(s == own for s in rivals) / 2


def test_the_target_is_a_candidate_even_if_excluded() -> None:
    target = torch.tensor([1])
    scores = candidate_scores(torch.tensor([[3.0, 1.0, 2.0]]), target, (torch.tensor([0, 0]), torch.tensor([0, 1])))
    assert rank_of_target(scores, target).tolist() == [2.0]


def test_a_constant_model_ranks_in_the_middle() -> None:
    assert rank_of_target(torch.zeros(1, 101), torch.tensor([7])).tolist() == [51.0]


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), ties=st.booleans())
def test_metrics_are_bounded_monotone_and_invariant_to_relabelling(seed: int, ties: bool) -> None:
    scores, target = random_scores(seed, ties=ties)
    ranks = rank_of_target(scores, target)
    values = rank_metrics(ranks)
    assert all(((value >= 0) & (value <= 1)).all() for value in values.values())
    assert (values["hr@20"] >= values["hr@10"]).all()
    assert (values["ndcg@20"] >= values["ndcg@10"]).all()
    relabel = torch.randperm(60, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(rank_of_target(scores[:, relabel], relabel.argsort()[target]), ranks)


def test_any_batch_split_gives_the_same_numbers() -> None:
    scores, target = random_scores(3)
    ranks, instances = rank_of_target(scores, target), torch.randperm(40)
    results = []
    for size in (1, 7, 40):
        metrics = RankingMetrics("_uniform100")
        for part in torch.randperm(40).split(size):
            metrics.update(instances[part], ranks[part])
        results.append({name: value.item() for name, value in metrics.compute().items()})
    assert results[0] == results[1] == results[2]
    assert set(results[0]) == {f"{name}_uniform100" for name in ("hr@10", "hr@20", "ndcg@10", "ndcg@20", "mrr")}


def test_ranks_are_kept_in_one_tensor() -> None:
    metrics = RankingMetrics()
    for first in (0, 3, 6):
        batch = torch.full((3,), float(first + 1))
        metrics.update(torch.arange(first, first + 3), batch)
        batch.fill_(-1)  # the tensor of a batch may be reused
    assert [len(metrics.instances), len(metrics.ranks)] == [1, 1]
    metrics.compute()
    assert metrics.table is not None
    assert metrics.table[1].tolist() == [1, 1, 1, 4, 4, 4, 7, 7, 7]
