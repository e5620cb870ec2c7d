"""Arrays and tables on disk: they come back as they were written, and a damaged file is one line."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from mmrec.errors import UserError
from mmrec.utils.arrays import read_archive, read_array, write_archive, write_array, write_rows
from mmrec.utils.tables import read_table

ARRAY = np.arange(12, dtype=np.float16).reshape(6, 2)


def test_arrays_come_back_as_they_were_written(tmp_path: Path) -> None:
    write_array(tmp_path / "a.npy", ARRAY)
    write_rows(tmp_path / "b.npy", np.float16, (6, 2), [ARRAY[:1], ARRAY[1:5].astype(float), ARRAY[5:]])
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()
    for name in ("a.npy", "b.npy"):
        np.testing.assert_array_equal(read_array(tmp_path / name, np.float16, (6, 2), ""), ARRAY)
    write_rows(tmp_path / "c.npy", np.float16, (3, 0), [np.zeros((3, 0))])
    assert read_array(tmp_path / "c.npy", np.float16, (3, 0), "").shape == (3, 0)
    write_archive(tmp_path / "a.npz", {"x": ARRAY, "words": np.array(["a", "b"])})
    found = read_archive(tmp_path / "a.npz", "")
    np.testing.assert_array_equal(found["x"], ARRAY)
    assert found["words"].tolist() == ["a", "b"]


def test_mapped_arrays_change_only_in_memory(tmp_path: Path) -> None:
    write_array(tmp_path / "a.npy", ARRAY)
    with pytest.raises(ValueError, match="read-only"):
        read_array(tmp_path / "a.npy", np.float16, (6, 2), "")[0] = 9
    read_array(tmp_path / "a.npy", np.float16, (6, 2), "", copy_on_write=True)[0] = 9
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), ARRAY)


@pytest.mark.parametrize(
    "content", [b"", b"\x93NUMPY", b"PK\x03\x04", b"PAR1", bytes(200), b"\x80\x04N.", b"\x93NUMPY\x01\x00\xff\xff{" * 9]
)
@pytest.mark.parametrize(
    "read",
    [
        lambda file: read_array(file, np.float16, (6, 2), "mend it"),
        lambda file: read_archive(file, "mend it"),
        lambda file: read_table(file, ["a"], 1, "mend it"),
    ],
)
def test_damaged_file_is_one_line(tmp_path: Path, content: bytes, read: Callable[[Path], object]) -> None:
    file = tmp_path / "file"
    for make in (lambda: file.write_bytes(content), lambda: file.unlink()):
        make()
        with pytest.raises(UserError, match=r"file: cannot be read \(.*\); mend it") as caught:
            read(file)
        assert "\n" not in str(caught.value)


def test_pickles_are_not_read(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(UserError, match=r"a\.npy: cannot be read"):
        read_array(tmp_path / "a.npy", object, (1,), "")


def test_archive_is_not_an_array(tmp_path: Path) -> None:
    write_archive(tmp_path / "a.npy", {"x": ARRAY})
    with pytest.raises(UserError, match=r"a\.npy: is an archive, not one array"):
        read_array(tmp_path / "a.npy", np.float16, (6, 2), "")


@pytest.mark.parametrize(
    ("columns", "rows", "message"), [(["b"], 2, "has no column b"), (["a"], 3, "has 2 rows, not 3"), (["a"], None, "")]
)
def test_table_has_the_wanted_columns_and_rows(
    tmp_path: Path, columns: list[str], rows: int | None, message: str
) -> None:
    pl.DataFrame({"a": [1, 2]}).write_parquet(tmp_path / "t.parquet")
    if not message:
        assert read_table(tmp_path / "t.parquet", columns, rows, "").height == 2
        return
    with pytest.raises(UserError, match=rf"t\.parquet: {message}"):
        read_table(tmp_path / "t.parquet", columns, rows, "")


def test_array_without_space_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmrec.utils.arrays.shutil.disk_usage", lambda _: SimpleNamespace(free=23))
    with pytest.raises(UserError, match=r"a\.npy: needs 0 MiB, 0 MiB are free"):
        write_rows(tmp_path / "a.npy", np.float16, (6, 2), iter([]))
    assert not list(tmp_path.iterdir())
