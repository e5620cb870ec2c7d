from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from mmrec.data.catalog import Catalog
from mmrec.data.datamodule import RecDataModule
from mmrec.data.prepare.options import PrepareOptions
from mmrec.data.prepare.pipeline import prepare
from mmrec.data.schema import Split
from mmrec.errors import UserError
from tests.data.rows import LOOSE, Rows


def test_arrays_and_table_hold_the_same_interactions(toy: RecDataModule) -> None:
    catalog = toy.catalog
    table = pl.read_parquet(catalog.folder / "interactions.parquet")
    rows = torch.arange(table.height)
    assert torch.equal(catalog.user_of(rows), torch.tensor(table["user"].to_numpy(), dtype=torch.int64))
    for name in ("item", "split", "timestamp"):
        assert np.array_equal(np.load(catalog.folder / "sequences" / f"{name}.npy"), table[name].to_numpy())
    train = table.filter(pl.col("split") == int(Split.TRAIN))
    assert catalog.train.items.tolist() == train["item"].to_list()
    assert catalog.train.users.tolist() == train["user"].to_list()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    events = [(user, str(k), k + 1) for user in "uv" for k in range(9)]
    return prepare(Rows(tmp_path, events), PrepareOptions(**LOOSE), tmp_path)


@pytest.mark.parametrize("name", ["items", "users"])
def test_changed_table_is_refused(name: str, folder: Path) -> None:
    file = folder / f"{name}.parquet"
    pl.read_parquet(file).reverse().write_parquet(file)
    with pytest.raises(UserError, match=rf"{name}\.parquet: the content has changed .*prepare again"):
        Catalog(folder)


@pytest.mark.parametrize("name", ["item", "timestamp", "split", "offsets"])
@pytest.mark.parametrize("change", ["reverse", "one", "type"])
def test_changed_array_is_refused(name: str, change: str, folder: Path) -> None:
    file = folder / "sequences" / f"{name}.npy"
    array = np.load(file)
    changed = {"reverse": array[::-1].copy(), "one": array + (np.arange(len(array)) == 1), "type": array.astype(float)}
    changed["one"] = changed["one"].astype(array.dtype)
    if np.array_equal(changed[change], array) and change != "type":
        changed[change] = array + 1
    np.save(file, changed[change])
    with pytest.raises(UserError, match=r"sequences.*prepare again") as caught:
        Catalog(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1"])
@pytest.mark.parametrize("name", ["items", "users"])
def test_damaged_table_is_refused(name: str, content: bytes, folder: Path) -> None:
    catalog = Catalog(folder)
    (folder / f"{name}.parquet").write_bytes(content)
    with pytest.raises(UserError, match=rf"{name}\.parquet: .*prepare again") as caught:
        _ = catalog.item_table if name == "items" else catalog.user_ids
    assert "\n" not in str(caught.value)


def test_table_of_another_dataset_is_refused(folder: Path) -> None:
    catalog = Catalog(folder)
    file = folder / "items.parquet"
    table = pl.read_parquet(file)
    for wrong, message in (
        (table.head(3), "has 3 rows, not 10"),
        (table.drop("text"), "has no column text"),
        (table.reverse(), "its rows are not in the order of the items"),
    ):
        wrong.write_parquet(file)
        catalog.__dict__.pop("item_table", None)
        with pytest.raises(UserError, match=message):
            _ = catalog.item_table


def test_damaged_array_is_refused(folder: Path) -> None:
    file = folder / "sequences" / "item.npy"
    content = file.read_bytes()
    for damaged in (content[:-4], content[:40], b"", np.array(3).tobytes()):
        file.write_bytes(damaged)
        with pytest.raises(UserError, match=r"item\.npy: .*prepare again"):
            Catalog(folder)
