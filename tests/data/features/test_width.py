"""The width of whitening that `whiten: auto` chooses."""

import numpy as np
import pytest

from mmrec.data.datamodule import RecDataModule
from mmrec.data.features import width
from mmrec.data.features.encoders import HandcraftedEncoder
from mmrec.data.schema import Split


def plain_ndcg(data: RecDataModule) -> float:
    """NDCG@10 of the validation split by the mean cosine to the newest items, one instance at a time."""
    catalog, tables = data.catalog, []
    for name in ("text", "image"):
        table = getattr(data.features, name).astype(np.float64)
        tables.append(table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-12))
    found = []
    for row in catalog.instances(Split.VALID).tolist():
        history = catalog.items[int(catalog.offsets[catalog.user_of(catalog.items.new_tensor([row]))]) : row].tolist()
        scores = np.zeros(catalog.n_items)
        for table in tables:
            profile = table[history[-width.NEWEST :]].sum(axis=0)
            scores += table @ (profile / max(np.linalg.norm(profile), 1e-12))
        target = int(catalog.items[row])
        candidates = np.setdiff1d(np.arange(1, catalog.n_items), [*history, target])
        rank = 1 + (scores[candidates] > scores[target]).sum() + (scores[candidates] == scores[target]).sum() / 2
        found.append(1 / np.log2(1 + rank) if rank <= 10 else 0.0)
    return float(np.mean(found))


def shop(toy: RecDataModule, whiten: int | str) -> RecDataModule:
    return RecDataModule(
        toy.source, prepare=toy.options, encoder=HandcraftedEncoder(), root=str(toy.root), whiten=whiten
    )


def test_each_width_has_the_ndcg_of_ranking_by_its_features(toy: RecDataModule) -> None:
    fitting = toy.catalog.train.popularity.numpy() > 0
    found = width.ndcg_by_width(toy.features, toy.catalog, fitting)
    assert set(found) <= set(width.WIDTHS)
    for one in (8, 32):
        assert found[one] == pytest.approx(plain_ndcg(shop(toy, one)), abs=2e-3)  # stored in float16


def test_auto_is_the_best_width_and_is_chosen_once(toy: RecDataModule, monkeypatch: pytest.MonkeyPatch) -> None:
    fitting = toy.catalog.train.popularity.numpy() > 0
    found = width.ndcg_by_width(toy.features, toy.catalog, fitting)
    best = max(found, key=lambda one: found[one])
    data = shop(toy, "auto")
    assert data.features.folder == shop(toy, best).features.folder
    monkeypatch.setattr(width, "ndcg_by_width", lambda *_: {})
    assert shop(toy, "auto").features.folder == data.features.folder


def test_a_sample_of_a_large_catalogue_holds_all_that_is_ranked(
    toy: RecDataModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitting = toy.catalog.train.popularity.numpy() > 0
    whole = width.ndcg_by_width(toy.features, toy.catalog, fitting)
    monkeypatch.setattr(width, "SCORES", 1000)
    assert width.ndcg_by_width(toy.features, toy.catalog, fitting) == pytest.approx(whole, abs=1e-6)
    monkeypatch.setattr(width, "ITEMS", 30)
    sampled = width.ndcg_by_width(toy.features, toy.catalog, fitting)
    assert all(sampled[one] >= value for one, value in whole.items())  # the same targets among fewer items
    rows = toy.catalog.instances(Split.VALID)[:5]
    start = toy.catalog.offsets[toy.catalog.user_of(rows)]
    wanted = {int(toy.catalog.items[place]) for row, first in zip(rows.tolist(), start.tolist(), strict=True)
              for place in range(max(first, row - width.NEWEST), row + 1)}  # fmt: skip
    assert wanted <= set(width._sample(toy.catalog, rows, start).tolist())
    assert len(width._sample(toy.catalog, rows, start)) < len(wanted) + 40
