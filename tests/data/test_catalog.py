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


def test_the_arrays_say_what_the_table_says(toy: RecDataModule) -> None:
    catalog = toy.catalog
    table = pl.read_parquet(catalog.folder / "interactions.parquet")
    rows = torch.arange(table.height)
    assert torch.equal(catalog.user_of(rows), torch.tensor(table["user"].to_numpy(), dtype=torch.int64))
    for name in ("item", "split", "timestamp"):
        assert np.array_equal(np.load(catalog.folder / "sequences" / f"{name}.npy"), table[name].to_numpy())
    train = table.filter(pl.col("split") == int(Split.TRAIN))
    assert catalog.train.items.tolist() == train["item"].to_list()
    assert catalog.train.users.tolist() == train["user"].to_list()


@pytest.mark.parametrize("name", ["items", "users"])
def test_a_damaged_table_is_named(name: str, tmp_path: Path) -> None:
    folder = prepare(Rows(tmp_path, [("u", str(k), k + 1) for k in range(9)]), PrepareOptions(**LOOSE), tmp_path)
    (folder / f"{name}.parquet").write_bytes(b"PAR1")
    catalog = Catalog(folder)
    with pytest.raises(UserError, match=rf"{name}\.parquet: .*prepare again"):
        _ = catalog.item_table if name == "items" else catalog.user_ids


def test_a_damaged_folder_is_named(tmp_path: Path) -> None:
    folder = prepare(Rows(tmp_path, [("u", str(k), k + 1) for k in range(9)]), PrepareOptions(**LOOSE), tmp_path)
    file = folder / "sequences" / "item.npy"
    content = file.read_bytes()
    for damaged in (content[:-4], content[:40], b"", np.array(3).tobytes()):
        file.write_bytes(damaged)
        with pytest.raises(UserError, match=r"item\.npy: .*prepare again"):
            Catalog(folder)
