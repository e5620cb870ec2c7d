from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from mmrec.batch import PAD
from mmrec.data.catalog import Catalog
from mmrec.data.datamodule import RecDataModule
from mmrec.data.prepare.held_out import without_held_out
from mmrec.data.prepare.manifest import Manifest
from mmrec.data.prepare.options import PrepareOptions
from mmrec.data.prepare.pipeline import prepare
from mmrec.data.schema import Split
from mmrec.data.sources import Toy
from mmrec.errors import UserError
from tests.contracts.conftest import build
from tests.data.rows import LOOSE, Rows


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> RecDataModule:
    options = PrepareOptions(split="leave_one_out", require_text=False, require_image=False, hold_out_items=0.1)
    return RecDataModule(
        Toy(), prepare=options, root=str(tmp_path_factory.mktemp("data")), max_length=8, candidates="unseen"
    )


def test_only_training_interactions_of_the_drawn_items_are_removed() -> None:
    item = np.repeat(np.arange(1, 21, dtype=np.int32), 3)
    split = np.tile(np.array([Split.TRAIN, Split.VALID, Split.TEST], np.int8), 20)
    stays = without_held_out(item, split, 0.25)
    gone = item[~stays]
    assert len(gone) == len(set(gone.tolist())) == 5
    assert (split[~stays] == Split.TRAIN).all()


def test_held_out_items_are_unseen_and_histories_stay_in_order(held: RecDataModule, tmp_path: Path) -> None:
    options = PrepareOptions(split="leave_one_out", require_text=False, require_image=False)
    whole, cut = Catalog(prepare(Toy(), options, tmp_path)), held.catalog
    unseen = set((torch.nonzero(cut.train.popularity[1:] == 0).squeeze(1) + 1).tolist())
    assert len(unseen) >= round(0.1 * (whole.n_items - 1))
    assert cut.n_items == whole.n_items
    for user in range(0, whole.n_users, 37):
        events = [
            (item, part)
            for item, part in zip(
                whole.items[whole.offsets[user] : whole.offsets[user + 1]].tolist(),
                whole.split[whole.offsets[user] : whole.offsets[user + 1]].tolist(),
                strict=True,
            )
            if item not in unseen or part != Split.TRAIN
        ]
        assert cut.items[cut.offsets[user] : cut.offsets[user + 1]].tolist() == [item for item, _ in events]


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_users_who_lose_all_their_interactions_are_dropped(share: float, tmp_path: Path) -> None:
    events = [(f"u{user}", f"i{user * 5 % 12}", 0) for user in range(12)]  # one training interaction each
    events += [("last", f"i{item}", item) for item in range(12)]
    source, root = Rows(tmp_path / "raw", events), tmp_path / "data"
    options = PrepareOptions(**{**LOOSE, "split": "leave_one_out", "hold_out_items": share})
    catalog = Catalog(prepare(source, options, root))
    assert catalog.offsets.diff().min() > 0
    assert catalog.manifest.statistics["per_user"]["min"] > 0
    kept = {raw: user for user, raw in enumerate(catalog.user_ids)}
    assert len(kept) == catalog.n_users < 13
    manifest = catalog.manifest
    assert manifest.dropped["hold_out_items"] == len(events) - manifest.n_interactions > 0
    lost = {kind: note for kind, note in manifest.notes.items() if "hold_out_items" in kind}
    assert [note["count"] for note in lost.values()] == [13 - len(kept)]
    assert all(note["example"].strip("'") not in kept for note in lost.values())
    unseen = catalog.train.popularity == 0
    for raw, item, _ in events[:12]:
        index = catalog.item_table["raw_id"].to_list().index(item)
        assert (raw in kept) == (not unseen[index])
        if raw in kept:
            assert catalog.items[catalog.offsets[kept[raw]]] == index


def test_a_share_of_less_than_one_item_holds_out_one() -> None:
    item, split = np.repeat(np.arange(1, 21, dtype=np.int32), 3), np.zeros(60, np.int8)
    assert (~without_held_out(item, split, 0.001)).sum() == 3


def test_the_leak_of_the_own_rule_is_that_of_the_stored_split(tmp_path: Path) -> None:
    events = [
        (user, user * 7 + place * 3, user * 5 + place) for user in range(12) for place in range(20 + user // 11 * 10)
    ]
    events = [(user, item % 31, time) for user, item, time in events]
    options = PrepareOptions(**{**LOOSE, "split": "ratio", "hold_out_items": 0.4})
    folder = prepare(Rows(tmp_path / "raw", events), options, tmp_path / "data")
    table = pl.read_parquet(folder / "interactions.parquet")
    newest = table.filter(pl.col("split") == Split.TRAIN)["timestamp"].max()
    expected = (table.filter(pl.col("split") == Split.TEST)["timestamp"] < newest).mean()
    assert Manifest.load(folder).statistics["leak_share"]["ratio"] == expected


def test_share_that_takes_everything_is_refused(tmp_path: Path) -> None:
    options = PrepareOptions(**{**LOOSE, "hold_out_items": 0.9})
    with pytest.raises(UserError, match="no interaction is left after hold_out_items: lower"):
        prepare(Rows(tmp_path / "raw", [("u", "i", 0), ("u", "j", 1)]), options, tmp_path / "data")


def test_unseen_targets_are_ranked_among_unseen_items_alone(held: RecDataModule) -> None:
    catalog, model = held.catalog, build("popularity", held)
    unseen = int((catalog.train.popularity[1:] == 0).sum())
    loader = held.eval_dataloader(Split.TEST)
    ranks = torch.cat([model.ranks(batch) for batch in loader])
    targets = torch.cat([batch.target for batch in loader])
    assert (catalog.train.popularity[targets] == 0).all()
    # They all have popularity zero and tie, except those in the history, which are excluded.
    assert ranks.max() == (unseen + 1) / 2
    assert ranks.min() >= (unseen - 1) / 2


@pytest.mark.parametrize("group", ["seen", "unseen"])
def test_targets_are_ranked_among_their_group_without_history_and_themselves(held: RecDataModule, group: str) -> None:
    data = RecDataModule(held.source, prepare=held.options, root=str(held.root), max_length=8, candidates=group)  # type: ignore[arg-type]
    catalog, model = data.catalog, build("popularity", data)
    model.score = lambda batch: torch.arange(data.n_items).float().expand(len(batch.user), -1)  # type: ignore[method-assign]
    belongs = (catalog.train.popularity > 0) == (group == "seen")
    belongs[PAD] = False
    loader = data.eval_dataloader(Split.TEST)
    ranked = 0
    for batch in loader:
        for target, rank, row in zip(batch.target, model.ranks(batch), batch.instance, strict=True):
            others = belongs.clone()
            others[catalog.items[catalog.offsets[catalog.user_of(row)] : row].long()] = False
            assert belongs[target]
            assert rank == 1 + others[target + 1 :].sum()
            ranked += 1
    assert 0 < ranked < len(catalog.instances(Split.TEST))


def test_data_without_unseen_targets_is_refused(toy: RecDataModule) -> None:
    data = RecDataModule(toy.source, prepare=toy.options, root=str(toy.root), max_length=8, candidates="unseen")
    if (data.catalog.train.popularity[data.catalog.items[data.catalog.instances(Split.TEST)].long()] == 0).any():
        pytest.skip("the toy data has unseen targets")
    with pytest.raises(UserError, match="hold_out_items"):
        data.eval_dataloader(Split.TEST)
