import csv
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from mmrec.data.prepare.manifest import Manifest
from mmrec.data.prepare.pipeline import PrepareOptions, prepare
from mmrec.data.schema import Split
from mmrec.data.sources import Toy
from mmrec.data.sources.toy.shop import COLLECTIONS, COLOURS, PATTERNS, make_products
from mmrec.data.sources.toy.users import TASTEFUL
from mmrec.errors import UserError

Rule = Callable[[np.ndarray], np.ndarray]
OWN_RULE = {"image": "look", "text": "material", "order": "next_collection", "long_term": "favourite"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Raw folder and prepared folder at the default size."""
    root = tmp_path_factory.mktemp("toy")
    options = PrepareOptions(split="leave_one_out", require_text=False, require_image=False)
    return root / "raw", prepare(Toy(str(root / "raw")), options, root)


def rules(folder: Path) -> dict[str, Rule]:
    """Score all items from a history by one planted attribute each; these are oracles, no model sees the attributes."""
    products = {product.asin: product for product in make_products(random.Random(0))}
    rows = [products.get(asin) for asin in pl.read_parquet(folder / "items.parquet")["raw_id"]]
    table = {
        name: np.array([-9 if row is None else getattr(row, name) for row in rows])
        for name in ("look", "material", "collection")
    }
    train = pl.read_parquet(folder / "interactions.parquet").filter(pl.col("split") == int(Split.TRAIN))["item"]
    popularity = np.bincount(train, minlength=len(rows)).astype(float)

    tasteful = table["collection"] < TASTEFUL  # the other collections are basics, which a taste is never for

    def like(name: str, newest: int = 0) -> Rule:
        return lambda history: (table[name][:, None] == table[name][history[-newest:]]).sum(axis=1)

    return {
        "look": like("look"),
        "material": like("material"),
        "collection": like("collection"),
        "favourite": lambda history: like("collection")(history) * tasteful,
        "recent_favourite": lambda history: like("collection", newest=8)(history) * tasteful,
        "next_collection": lambda history: (table["collection"] - table["collection"][history[-1]]) % TASTEFUL == 1,
        "popularity": lambda history: popularity,
    }


def hit_rates(raw: Path, folder: Path) -> dict[tuple[str, str], float]:
    """HR@10 of each rule for the test events of each taste, ties counted by expectation."""
    tastes = dict(csv.reader((raw / "tastes.csv").open()))
    users = [tastes[raw_id] for raw_id in pl.read_parquet(folder / "users.parquet")["raw_id"]]
    hits = defaultdict(list)
    scorers = rules(folder)
    for (user,), table in pl.read_parquet(folder / "interactions.parquet").group_by("user", maintain_order=True):
        items = table["item"].to_numpy()
        for name, rule in scorers.items():
            scores = np.asarray(rule(items[:-1]), dtype=float)
            target = scores[items[-1]]
            scores[[0, *items[:-1]]] = -np.inf
            better, equal = (scores > target).sum(), (scores == target).sum()
            hits[users[user], name].append(np.clip((10 - better) / equal, 0, 1))
    return {key: float(np.mean(values)) for key, values in hits.items()}


def test_each_taste_is_visible_in_its_own_attribute_only(shop: tuple[Path, Path]) -> None:
    rates = hit_rates(*shop)  # of the order at most 10 / 12, less where the purchase before was noise
    for taste, own in OWN_RULE.items():
        for rule in ("look", "material", "favourite", "next_collection", "popularity"):
            rate = rates[taste, rule]
            assert rate > 0.6 if rule == own else rate < 0.12, (taste, rule, rate)
    assert rates["long_term", "recent_favourite"] < 0.12


def test_tastes_are_equally_frequent_and_only_basics_are_popular(shop: tuple[Path, Path]) -> None:
    raw, folder = shop
    tastes = Counter(taste for _, taste in list(csv.reader((raw / "tastes.csv").open()))[1:])
    assert tastes == dict.fromkeys(OWN_RULE, 200)
    basics = {product.asin for product in make_products(random.Random(0)) if product.collection >= TASTEFUL}
    items = pl.read_parquet(folder / "items.parquet").select("item", basic=pl.col("raw_id").is_in(basics))
    counts = pl.read_parquet(folder / "interactions.parquet")["item"].value_counts().join(items, on="item")
    assert counts["count"].min() >= 20
    for (_,), rows in counts.group_by("basic"):
        assert rows["count"].max() < 2 * rows["count"].mean()


def test_no_text_reveals_colour_or_pattern(shop: tuple[Path, Path]) -> None:
    texts = pl.read_parquet(shop[1] / "items.parquet")["text"].drop_nulls().str.to_lowercase().to_list()
    assert not [text for text in texts for word in (*COLOURS, *PATTERNS, "stripe", "dot") if word in text.split()]
    named = [[name for name in COLLECTIONS if name in text.split()] for text in texts]
    assert all(len(names) == 1 for names in named)


def test_flaws_of_real_data(shop: tuple[Path, Path]) -> None:
    manifest = Manifest.load(shop[1])
    assert {"broken JSON", "missing user", "impossible timestamp", "unreadable image"} == manifest.rejected.keys()
    assert sum(entry["count"] for entry in manifest.rejected.values()) < 0.01 * manifest.rows_read
    assert 0 < manifest.missing["text"] < 10
    assert 0 < manifest.missing["image"] < 10
    assert manifest.statistics["tie_share"] > 0.2
    assert manifest.n_users == 800


def test_the_same_seed_writes_the_same_bytes(shop: tuple[Path, Path], tmp_path: Path) -> None:
    first, second = shop[0], tmp_path / "again"
    Toy(str(second)).files()
    names = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert len(names) > 280
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)
    Toy(str(second), seed=1).files()
    assert (first / "TOY_SHOP.json.gz").read_bytes() != (second / "TOY_SHOP.json.gz").read_bytes()


def test_an_existing_shop_is_not_written_again(tmp_path: Path) -> None:
    toy = Toy(str(tmp_path / "raw"), users=8)
    times = [file.stat().st_mtime_ns for file in toy.files()]
    assert [file.stat().st_mtime_ns for file in toy.files()] == times


def test_a_killed_run_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy = Toy(str(tmp_path / "raw"), users=8)
    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "save", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            toy.files()
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []
    assert toy.read().interactions.collect().height > 50


def test_a_folder_of_something_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="is not a toy shop"):
        Toy(str(tmp_path)).files()
    assert (tmp_path / "mine.txt").exists()


def test_a_damaged_stamp_is_named(tmp_path: Path) -> None:
    (tmp_path / "toy.json").write_text("{")
    with pytest.raises(UserError, match=r"toy\.json.* remove "):
        Toy(str(tmp_path)).files()
