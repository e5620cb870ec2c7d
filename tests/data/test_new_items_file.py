"""Files of new items: in the usual columns, or in those of the run's own source."""

from pathlib import Path

import pytest

from mmrec.data.sources import ItemRecords, Sequences, Tabular
from mmrec.data.sources.tabular import read_new_items
from mmrec.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for name in ("a1.jpg", "a2.png"):
        (tmp_path / "photos" / name).write_bytes(b"")
    (tmp_path / "own.csv").write_text("sku,name,kind\na1,Hat,warm\na1,Cap,\n,Scarf,\na3,  , \n")
    (tmp_path / "usual.csv").write_text(
        'id,text,attributes\na1,a hat,"{""brand"": ""Acme"", ""size"": null}"\na2,  ,\n'
    )
    return tmp_path


def tabular(**options: str) -> Tabular:
    records = ItemRecords(
        files="unread.csv", title="name", text="{name}. {kind}", attributes={"type": "kind"}, **options
    )
    return Tabular("unread.csv", user="customer", item="sku", time="day", items=records)


@pytest.mark.parametrize("images", ["photos", "."])
def test_a_file_of_the_source_is_read_by_its_mapping(folder: Path, images: str) -> None:
    read = read_new_items(folder / "own.csv", folder / images, tabular(image="photos/{sku}.*"))
    assert read.items["item"].to_list() == ["a1", "a3"]
    assert read.items["text"].to_list() == ["Hat. warm", None]
    assert read.items["image"][0] == str(folder / "photos" / "a1.jpg")
    assert read.items["attributes"].to_list() == ['{"type": "warm"}', None]
    assert read.repeated == 1
    assert [fault.count for fault in read.rejected.values()] == [1]


def test_a_file_in_the_usual_columns_finds_its_images_by_id(folder: Path) -> None:
    for source in (None, tabular(), Sequences("unread.txt", ItemRecords(files="unread.csv", text="words"))):
        read = read_new_items(folder / "usual.csv", folder / "photos", source)
        assert read.items["text"].to_list() == ["a hat", None]
        assert read.items["attributes"].to_list() == ['{"brand": "Acme"}', None]
        assert read.items["image"].to_list() == [str(folder / "photos" / name) for name in ("a1.jpg", "a2.png")]


def test_a_file_that_fits_neither_and_broken_facts_are_refused(folder: Path) -> None:
    (folder / "other.csv").write_text("name,text\nx,y\n")
    with pytest.raises(
        UserError, match=r"other\.csv: has no column id; .* those of the run's own source: sku, name, kind"
    ):
        read_new_items(folder / "other.csv", None, tabular())
    (folder / "broken.csv").write_text("id,attributes\na1,red\n")
    with pytest.raises(UserError, match=r"broken\.csv:2: attributes must be a JSON object"):
        read_new_items(folder / "broken.csv", None, None)
    with pytest.raises(UserError, match=r"gone\.csv: no such file"):
        read_new_items(folder / "gone.csv", None, None)
    (folder / "elsewhere").mkdir()
    for source in (None, tabular(image="photos/{sku}.*")):
        name = "usual.csv" if source is None else "own.csv"
        with pytest.raises(UserError, match=rf"elsewhere: holds no image of the 2 items of .*{name}"):
            read_new_items(folder / name, folder / "elsewhere", source)
