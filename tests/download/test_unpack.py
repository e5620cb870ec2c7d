import stat
import zipfile
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrec.download.failures import TransferError
from mmrec.download.unpack import UnpackLimits, unpack
from tests.download.conftest import zipped


def made(folder: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    path = folder / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def link(name: str, kind: int = stat.S_IFLNK) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (kind | 0o777) << 16
    return info


def nul(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("placeholder")
    info.filename = name
    return info


def refused(path: Path, folder: Path, limits: UnpackLimits | None = None) -> str:
    with pytest.raises(TransferError) as caught:
        unpack(path, folder / "out", limits)
    written = {file for file in folder.rglob("*") if file.is_file() or file.is_symlink()} - {path}
    assert all(file.is_relative_to(folder / "out") for file in written)
    return str(caught.value)


def test_a_single_top_folder_and_clutter_are_left_out(tmp_path):
    path = made(tmp_path, ("ml/a.csv", b"1"), ("ml/sub/b.csv", b"22"), ("__MACOSX/ml/._a.csv", b"x"))
    assert unpack(path, tmp_path / "out") == {"a.csv": 1, "sub/b.csv": 2}
    assert (tmp_path / "out/sub/b.csv").read_bytes() == b"22"
    flat = made(tmp_path, ("a.csv", b"1"), ("sub/b.csv", b"22"))
    assert unpack(flat, tmp_path / "flat") == {"a.csv": 1, "sub/b.csv": 2}


@pytest.mark.parametrize(
    "member",
    ["../x", "ml/../../x", "/etc/x", "C:\\x", "c:/x", "..\\x", "ml//x", "./x", "ml/..", "ml/ /x", link("ml/x"),
     link("ml/x", stat.S_IFIFO), nul("ml/x\0.csv"), "ml/" + "x" * 300],
)  # fmt: skip
def test_no_member_leads_out_of_the_folder(member, tmp_path):
    refused(made(tmp_path, ("ml/good.csv", b"1"), (member, b"../../target")), tmp_path)
    assert not (tmp_path / "out/good.csv").exists()  # refused before anything was written


def test_a_link_in_an_archive_is_refused(tmp_path):
    assert "link" in refused(made(tmp_path, (link("ml/d"), b"/tmp"), ("ml/d/x", b"1")), tmp_path)


def test_bombs_are_not_unpacked(tmp_path):
    bomb = made(tmp_path, ("ml/zeros", bytes(10 << 20)))
    assert "100 times its size" in refused(bomb, tmp_path)
    assert "more than 1,000" in refused(bomb, tmp_path, UnpackLimits(total_bytes=1000))
    many = made(tmp_path, *((f"ml/{n}", b"") for n in range(20)))
    assert "20 members" in refused(many, tmp_path, UnpackLimits(members=10))


@pytest.mark.parametrize("names", [("ml/a", "ml/a"), ("ml/a", "ml/A"), ("ml/a", "ml/a/b"), ("ml/A/b", "ml/a")])
def test_two_members_cannot_share_a_name(names, tmp_path):
    with pytest.warns(UserWarning, match="Duplicate") if len(set(names)) == 1 else nullcontext():
        path = made(tmp_path, *((name, b"1") for name in names))
    assert "same name" in refused(path, tmp_path)


def test_encrypted_and_damaged_members_are_refused(tmp_path):
    content = bytearray(made(tmp_path, ("ml/good", b"1"), ("ml/a", b"some text")).read_bytes())
    locked = bytearray(content)
    locked[content.rindex(b"PK\x01\x02") + 8] |= 1
    content[38] ^= 255  # in the data, behind a header of 30 bytes and the name of 7
    for bytes_, words in ((locked, "encrypted"), (content, "not a sound archive")):
        (tmp_path / "b.zip").write_bytes(bytes_)
        with pytest.raises(TransferError, match=words):
            unpack(tmp_path / "b.zip", tmp_path / words)
    assert not list((tmp_path / "encrypted").iterdir())  # refused before the good member was written


@given(place=st.integers(0, 400), value=st.integers(0, 255), cut=st.integers(0, 400))
def test_any_damage_is_a_transfer_error_or_harmless(place, value, cut, tmp_path_factory):
    folder = tmp_path_factory.mktemp("zip")
    content = bytearray(zipped(ratings_csv=b"1,2,3\n" * 9, movies_csv=b"1,Up\n"))
    content[place % len(content)] = value
    (folder / "a.zip").write_bytes(content[: len(content) - cut % 60])
    try:
        holds = unpack(folder / "a.zip", folder / "out")
    except TransferError:
        return
    assert sum(holds.values()) in (0, 5, 54, 59)
