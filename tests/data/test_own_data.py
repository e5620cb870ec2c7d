"""Tables as people have them: what would be read wrongly is refused in one line, or noted with an example."""

import contextlib
import csv
import gzip
import io
import json
import zipfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrec.data.prepare.manifest import Manifest
from mmrec.data.prepare.pipeline import PrepareOptions, prepare
from mmrec.data.schema import RawData
from mmrec.data.sources import Amazon, ItemRecords, MovieLens, Sequences, TableFormat, Tabular
from mmrec.data.sources.readers.csv import CsvFile
from mmrec.download.tables import read_urls
from mmrec.errors import InvalidArgument, UserError
from tests.data.rows import LOOSE, jpeg

HEADER = "user,item,time\n"
TIME = 1_600_000_000


def write(folder: Path, name: str, content: str | bytes) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def tabular(path: str, items: ItemRecords | None = None, **options: object) -> Tabular:
    return Tabular(path, **{"user": "user", "item": "item", "time": "time", **options}, items=items)


def faults(raw: RawData) -> dict[str, tuple[int, str, str | None]]:
    rejected = {**raw.rejected, **raw.rejected_items}
    return {kind: (bad.count, Path(bad.first).name, bad.value) for kind, bad in rejected.items()}


# Quotation marks


@pytest.mark.parametrize(
    ("rows", "line", "fault"),
    [
        ('u,1,5,"6\\" pipe"\nu,2,6,\nu,3,7,"8\\" pipe"\n', 2, "is escaped by a backslash"),
        ('u,1,5,ok\nu,2,6,"a\\",b"\n', 3, "is escaped by a backslash"),
        ('u,1,5,"\\""\nu,2,6,""\nu,3,7,""\nu,4,8,"a"\n', 4, "is not closed, or is inside a field"),
        ('u,0""u004,5,\n', 2, "is not closed, or is inside a field"),
        ('u,1,5,6" pipe\n', 2, "is not closed, or is inside a field"),
        ('u,1,5, "a"\n', 2, "is not closed, or is inside a field"),
        ('u,1,5,""a\n', 2, "is not closed, or is inside a field"),
        ('u,1,5,"two\nlines"\nu,2,6,"open\n', 4, "is not closed"),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_marks_that_two_readers_would_read_differently_are_refused(
    rows: str, line: int, fault: str, newline: str, tmp_path: Path
) -> None:
    path = write(tmp_path, "o.csv", ("user,item,time,note\n" + rows).replace("\n", newline))
    with pytest.raises(UserError, match=rf"o\.csv:{line}: a quotation mark {fault}: .* format\.quote: null"):
        tabular(path).read()


def test_marks_as_rfc_4180_has_them_are_read(tmp_path: Path) -> None:
    fields = ['""', '"a,b"', '"a ""b"""', '""""', '"two\nlines"', '"\\"', "C:\\", '"CR\r\nLF"', "plain"]
    rows = "".join(f"u,{place},{TIME},{field}\n" for place, field in enumerate(fields))
    path = write(tmp_path, "o.csv", "\ufeff" + '"user",item,time,note\n' + rows + f'u,"9",{TIME},"end"')
    raw = tabular(path, ItemRecords(files=path, title="note")).read()
    assert raw.rejected == {}
    titles = [None, "a,b", 'a "b"', '"', "two\nlines", "\\", "C:\\", "CR\r\nLF", "plain", "end"]
    assert raw.items["title"].to_list() == titles


def test_marks_are_checked_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmrec.data.sources.readers.csv.BLOCK", 16)
    good = "".join(f'u,"{place}",{TIME},"a ""b""\n{place}"\r\n' for place in range(30))
    path = write(tmp_path, "o.csv", "user,item,time,note\n" + good)
    assert tabular(path).read().interactions.collect().height == 30
    path = write(tmp_path, "o.csv", "user,item,time,note\n" + good + f'\nu,9,{TIME},6" x\nu,"10",soon,\n')
    with pytest.raises(UserError, match=r"o\.csv:63: a quotation mark"):
        tabular(path).read()
    path = write(tmp_path, "o.csv", "user,item,time,note\n" + good + f'\nu,"9",{TIME},\nu,"10",soon,\n')
    assert faults(tabular(path).read()) == {"impossible timestamp": (1, "o.csv:64", "soon")}


@pytest.mark.parametrize("name", ["movies.csv", "overviews.csv"])
def test_marks_in_item_files_take_no_records(name: str, tmp_path: Path) -> None:
    write(tmp_path, "ratings.csv", f"userId,movieId,rating,timestamp\n1,1,5,{TIME}\n")
    write(tmp_path, "movies.csv", "movieId,title,genres\n1,Up,Drama\n")
    columns = "movieId,title,genres" if name == "movies.csv" else "movieId,overview,director"
    write(tmp_path, name, columns + '\n1,"6\\" pipe",x\n2,b,x\n3,"7\\" pipe",x\n')
    with pytest.raises(UserError, match=rf"{name}:2: a quotation mark is escaped by a backslash"):
        MovieLens(str(tmp_path)).read()
    path = write(tmp_path, "o.csv", HEADER + f"u,1,{TIME}\n")
    with pytest.raises(UserError, match=rf"{name}:2: a quotation mark is escaped by a backslash"):
        tabular(path, ItemRecords(files=str(tmp_path / name), id="movieId")).read()


# Ids


@pytest.mark.parametrize("word", ["NULL", "null", "nan", "NaN", "None", "\\N", "<NA>"])
def test_words_for_a_missing_id_are_not_a_customer(word: str, tmp_path: Path) -> None:
    rows = f"u,1,{TIME}\n{word},1,{TIME}\n {word} ,2,{TIME}\nu,{word},{TIME}\n"
    raw = tabular(write(tmp_path, "o.csv", HEADER + rows)).read()
    assert raw.interactions.collect().height == 1
    assert {kind: count for kind, (count, _, _) in faults(raw).items()} == {
        "placeholder user id": 2,
        "placeholder item id": 1,
    }
    assert faults(raw)["placeholder user id"][1:] == ("o.csv:3", word)


def test_words_for_a_missing_id_in_item_records_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path, "o.csv", HEADER + f"u,1,{TIME}\n")
    items = ItemRecords(files=write(tmp_path, "i.csv", "item,name\n1,a\nNULL,b\n"), title="name")
    assert faults(tabular(path, items).read()) == {"item record with a placeholder for its id": (1, "i.csv:3", None)}


SPELLINGS = ["Zoë K", "Zoe\u0308 K", "Zoë\u00a0K", "\ufeffZoë K", "Zoë\u200b K", " Zoë K\u202f", "Zoë K\u2060"]


def test_ids_that_look_alike_are_one(tmp_path: Path) -> None:
    rows = "".join(f"{name},{place},{TIME}\n" for place, name in enumerate(SPELLINGS))
    path = write(tmp_path, "o.csv", HEADER + rows + f"plain,0,{TIME}\n")
    raw = tabular(path).read()
    assert raw.interactions.collect()["user"].unique().sort().to_list() == ["Zoë K", "plain"]
    (note,) = raw.notes.values()
    assert note.count == 6
    assert note.example == "'Zoe\\u0308 K' is read as 'Zo\\xeb K'"
    folder = prepare(tabular(path), PrepareOptions(**LOOSE), tmp_path / "data")
    manifest = Manifest.load(folder)
    assert manifest.n_users == 2
    assert [note["count"] for note in manifest.notes.values()] == [6]


def test_item_records_meet_interactions_in_one_spelling(tmp_path: Path) -> None:
    path = write(tmp_path, "o.csv", HEADER + f"u,Zoë\u00a0K,{TIME}\n")
    items = ItemRecords(files=write(tmp_path, "i.csv", "item,name\nZoe\u0308 K,Hat\n"), title="name")
    raw = tabular(path, items).read()
    assert raw.items.rows()[0][:2] == ("Zoë K", "Hat")
    assert [note.count for note in raw.notes.values()] == [1, 1]


def test_an_id_of_nothing_visible_is_missing(tmp_path: Path) -> None:
    raw = tabular(write(tmp_path, "o.csv", HEADER + f"\u200b,1,{TIME}\n\u00a0,1,{TIME}\n")).read()
    assert faults(raw) == {"missing user": (2, "o.csv:2", None)}


@pytest.mark.parametrize("key", ["rating", "id"])
def test_float_ids_that_have_lost_digits_are_malformed(key: str, tmp_path: Path) -> None:
    ids = ["9007199254740992.0", "9007199254740993.0", "9007199254740991", "7.0", "1e17"]
    rows = "".join(f'{{"user": "u", "item": {item}, "time": {TIME}, "{key}": 4.5}}\n' for item in ids)
    raw = tabular(write(tmp_path, "o.jsonl", rows)).read()
    assert raw.interactions.collect()["item"].to_list() == ["9007199254740991", "7"]
    assert faults(raw)["malformed item"][:2] == (3, "o.jsonl:1")
    reviews = rows.replace("user", "reviewerID").replace("item", "asin").replace("time", "unixReviewTime")
    write(tmp_path, "TOYS.json", reviews)
    assert Amazon(str(tmp_path), "TOYS").read().interactions.collect()["item"].to_list() == ["9007199254740991", "7"]


def test_ids_are_cut_padded_and_joined_by_patterns(tmp_path: Path) -> None:
    path = write(tmp_path, "o.csv", f"shop,user,item,time\ns,u, 0108775015,{TIME}\n,u,0108775044,{TIME}\ns,u,,{TIME}\n")
    raw = tabular(path, user="{shop}-{user}", item="{item:.7}").read()
    assert raw.interactions.collect().rows() == [("s-u", "0108775", TIME)]
    assert {kind: count for kind, (count, _, _) in faults(raw).items()} == {"missing user": 1, "missing item": 1}
    pl.DataFrame({"user": ["u"], "item": [108775015], "time": [TIME]}).write_parquet(tmp_path / "o.parquet")
    for pattern in ("{item:0>10}", "{item:010}"):
        found = tabular(str(tmp_path / "o.parquet"), item=pattern).read().interactions.collect()
        assert found["item"].to_list() == ["0108775015"]


def test_parts_of_an_id_lead_to_its_image(tmp_path: Path) -> None:
    image = write(tmp_path, "images/010/0108775015.jpg", jpeg())
    path = write(tmp_path, "o.csv", HEADER + f"u,0108775015,{TIME}\n")
    items = write(tmp_path, "i.csv", "article_id,name\n108775015,Top\n")
    pattern = "images/{article_id:0>10.3}/{article_id:0>10}.jpg"
    with pytest.raises(UserError, match=r"'108775015' seems to be '0108775015' without its zeros: set items\.id to "):
        tabular(path, ItemRecords(files=items, id="article_id")).read()
    records = ItemRecords(files=items, id="{article_id:0>10}", title="name", image="images/010/{article_id:0>10}.jpg")
    assert tabular(path, records).read().items.rows()[0][:4] == ("0108775015", "Top", None, image)
    assert pattern.count("{") == 2
    items = write(tmp_path, "i.csv", "article_id,name\n0108775015,Top\n")
    records = ItemRecords(files=items, id="article_id", image="images/{article_id:.3}/{article_id}.jpg")
    source = tabular(path, records)
    assert source.read().items["image"].to_list() == [image]
    assert source.image_folder() == tmp_path / "images"


# Item records and images


def test_items_without_a_record_are_noted_with_the_way_out(tmp_path: Path) -> None:
    path = write(tmp_path, "o.csv", HEADER + "".join(f"u,{item},{TIME}\n" for item in ("098", "7", "5", "gone")))
    items = ItemRecords(files=write(tmp_path, "i.csv", "item,name\n98,a\n7,b\n5,c\n"), title="name")
    ((kind, note),) = tabular(path, items).read().notes.items()
    assert kind == "items without a record in i.csv (of 4)"
    assert note.count == 2
    assert "'98' seems to be '098' without its zeros: set items.id to '{item:0>3}'" in note.example


def test_ids_that_differ_by_case_are_noted(tmp_path: Path) -> None:
    path = write(tmp_path, "o.csv", HEADER + f"u,SKU-1,{TIME}\n")
    items = ItemRecords(files=write(tmp_path, "i.csv", "item\nsku-1\n"))
    with pytest.raises(UserError, match=r"'SKU-1' and 'sku-1' differ by upper and lower case: write them alike"):
        tabular(path, items).read()


def test_an_image_option_that_matches_no_file_is_noted(tmp_path: Path) -> None:
    path = write(tmp_path, "o.csv", HEADER + f"u,1,{TIME}\nu,2,{TIME}\n")
    items = ItemRecords(files=write(tmp_path, "i.csv", "item\n1\n2\n"), image="photos/{item}.jpg")
    ((kind, note),) = tabular(path, items).read().notes.items()
    assert kind == "item records whose image file does not exist (all of them: check items.image)"
    assert (note.count, note.example) == (2, str(tmp_path / "photos/1.jpg"))
    write(tmp_path, "photos/2.jpg", jpeg())
    assert list(tabular(path, items).read().notes) == ["item records whose image file does not exist"]


def test_rejected_rows_are_told_where_a_dataset_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "o.csv", HEADER + f"u,1,{TIME}\nu,2,{TIME}\nu,1,soon\n")
    prepare(tabular(path), PrepareOptions(**{**LOOSE, "max_bad_share": 0.5}), tmp_path / "data")
    assert f"tabular: rejected 1 x impossible timestamp (first {path}:4: 'soon')" in capsys.readouterr().err


def test_notes_are_shown_where_a_dataset_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from mmrec.results.dataset import show_dataset

    path = write(tmp_path, "o.csv", HEADER + f"u,1,{TIME}\nu,2,{TIME}\n")
    items = ItemRecords(files=write(tmp_path, "i.csv", "item\n1\n"))
    folder = prepare(tabular(path, items), PrepareOptions(**LOOSE), tmp_path / "data")
    assert "tabular: 1 items without a record in i.csv (of 2) (for example '2'" in capsys.readouterr().err
    show_dataset(Manifest.load(folder), "table", None)
    assert "items without a record in i.csv (of 2)" in capsys.readouterr().out


def test_unmapped_columns_never_block_a_file(tmp_path: Path) -> None:
    header = b"user,item,time,,note,note,\xe9t\xe9,\n"
    path = write(tmp_path, "o.csv", header + f"u,1,{TIME},,a,b,".encode() + b"\xff,\n")
    assert tabular(path).read().interactions.collect().rows() == [("u", "1", TIME)]
    records = tabular(path, ItemRecords(files=path, title="item")).read()
    assert records.items["title"].to_list() == ["1"]
    with pytest.raises(UserError, match=r"o\.csv:1: 2 columns are named 'note': rename them"):
        tabular(path, rating="note").read()


# Numbers and times


def test_decimal_commas_by_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "o.csv", f"user;item;time;stars\nu;1;{TIME};4,5\nu;2;{TIME};3\n")
    semicolons = TableFormat(separator=";")
    with pytest.raises(UserError, match=r"malformed rating \(1, first at .*o\.csv:2: '4,5'\); set the option format\."):
        prepare(tabular(path, rating="stars", format=semicolons), PrepareOptions(**LOOSE), tmp_path)
    commas = TableFormat(separator=";", decimal=",")
    assert tabular(path, rating="stars", format=commas).read().interactions.collect()["rating"].to_list() == [4.5, 3.0]
    mixed = [write(tmp_path, "m.csv", f"user;item;time;stars\nu;1;{TIME};1.234\nu;2;{TIME};1,5\nu;3;{TIME};1.234,5\n")]
    mixed.append(write(tmp_path, "m.jsonl", f'{{"user": "u", "item": 4, "time": {TIME}, "stars": 1.25}}\n'))
    source = tabular(mixed, rating="stars", format=commas)  # type: ignore[arg-type]
    raw = source.read()
    assert raw.interactions.collect()["rating"].to_list() == [1.5, 1.25]  # numbers of JSON have points
    assert faults(raw) == {"malformed rating": (2, "m.csv:2", "1.234")}
    with pytest.raises(
        UserError, match=r"first at .*m\.csv:2: '1\.234'\); write numbers without marks between thousands"
    ):
        prepare(source, PrepareOptions(**LOOSE), tmp_path)
    prepare(source, PrepareOptions(**LOOSE, max_bad_share=0.5), tmp_path)
    assert "'1.234'); write numbers without marks between thousands" in capsys.readouterr().err
    with pytest.raises(InvalidArgument, match=r"decimal must be '\.' or ','"):
        TableFormat(decimal=";")


def test_days_of_a_spreadsheet_are_not_seconds(tmp_path: Path) -> None:
    path = write(tmp_path, "o.csv", HEADER + "u,1,45296.75\nu,2,45297\n")
    with pytest.raises(UserError, match=r"o\.csv:2: '45296\.75' may be a spreadsheet's day .*: set time_unit to excel"):
        tabular(path).read()
    found = tabular(path, time_unit="excel").read().interactions.collect()["timestamp"].to_list()
    assert found == [1704477600, 1704499200]  # 2024-01-05 18:00 and 2024-01-06, UTC
    assert tabular(path, time_unit="seconds").read().interactions.collect()["timestamp"].to_list() == [45296, 45297]


@pytest.mark.parametrize("unit", ["%Y-%m-%d %H:%M %Z", "%Z %d/%m/%Y"])
def test_names_of_zones_are_refused(unit: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"time_unit: %Z is the name of a zone.*write %z"):
        tabular("o.csv", time_unit=unit)
    path = write(tmp_path, "o.csv", HEADER + "u,1,2024-01-31 12:00 UTC\nu,1,2024-01-31 12:00 CET\n")
    raw = tabular(path, time_unit="%Y-%m-%d %H:%M UTC").read()
    assert raw.interactions.collect()["timestamp"].to_list() == [1706702400]
    assert faults(raw) == {"impossible timestamp": (1, "o.csv:3", "2024-01-31 12:00 CET")}


# Files that are not what they are named


def test_files_of_another_format_are_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.csv", "w") as archive:
        archive.writestr("a.txt", "x")
    pl.DataFrame({"user": ["u"]}).write_parquet(tmp_path / "b.csv")
    write(tmp_path, "c.csv.gz", HEADER)
    write(tmp_path, "d.jsonl", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
    for name, message in {
        "a.csv": r"a\.csv: is named \.csv, but its content is a zip archive or an Excel workbook: unpack",
        "b.csv": r"b\.csv: is named \.csv, but its content is Parquet: let its name end in \.parquet",
        "c.csv.gz": r"c\.csv\.gz: is named \.gz, but its content is not gzip: rename it if it is plain text",
        "d.jsonl": r"d\.jsonl: is named \.jsonl, but its content is an Excel workbook",
    }.items():
        with pytest.raises(UserError, match=message):
            tabular(str(tmp_path / name)).read()


@pytest.mark.parametrize("name", ["o.csv.gz", "o.jsonl.gz", "o.txt.gz"])
def test_damaged_gzip_is_one_line_wherever_the_damage_is(name: str, tmp_path: Path) -> None:
    rows = "".join(f'{{"user": "u{k}", "item": "{k * k}", "time": {TIME + k}}}\n' for k in range(300))
    whole = gzip.compress((rows if "json" in name else HEADER + rows.replace('"', "")).encode(), mtime=0)
    for place in range(10, len(whole), 37):
        path = write(tmp_path, name, whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        with contextlib.suppress(UserError):  # where the header of gzip ends, a changed byte may mean nothing
            (Sequences(path) if "txt" in name else tabular(path)).read()
            assert place < 12


def test_a_header_in_a_layout_without_one_is_named(tmp_path: Path) -> None:
    write(tmp_path, "u.data", f"user id\titem id\trating\ttimestamp\n1\t2\t3\t{TIME}\n")
    write(tmp_path, "u.item", "2|Up (2009)|\n")
    with pytest.raises(UserError, match=r"u\.data:1: is a line of column names \(user id, .*\), which .*: remove it"):
        MovieLens(str(tmp_path)).read()


def test_a_column_in_another_case_is_suggested(tmp_path: Path) -> None:
    path = write(tmp_path, "o.csv", f"Customer,item,time\nu,1,{TIME}\n")
    with pytest.raises(
        UserError, match=r"no column 'customer' among .*: set user to 'Customer', as it is written there"
    ):
        tabular(path, user="customer").read()


def test_lost_zeros_are_named_where_no_item_has_a_record(tmp_path: Path) -> None:
    path = write(tmp_path, "o.csv", HEADER + f"u,0493995001,{TIME}\nu,0108775015,{TIME}\n")
    content = "".join(json.dumps({"item": item}) + "\n" for item in (108775015, 493995001))
    items = ItemRecords(files=write(tmp_path, "i.jsonl", content))
    with pytest.raises(
        UserError, match=r"like '0493995001', those here like '108775015': '.*' seems to be '0.*' without"
    ):
        tabular(path, items).read()


def test_marks_in_a_table_of_addresses_swallow_no_rows(tmp_path: Path) -> None:
    path = write(tmp_path, "u.csv", 'id,url,note\n1,http://a/1,"6\\" pipe"\n2,http://a/2,\n3,http://a/3,"7\\" pipe"\n')
    with pytest.raises(UserError, match=r"u\.csv:2: a quotation mark is escaped by a backslash"):
        read_urls(Path(path))
    path = write(tmp_path, "u.csv", 'id,url,note\n0017,http://a/1,"a ""b"""\n')
    assert read_urls(Path(path)).rows() == [("0017", "http://a/1")]


def test_column_names_that_span_lines_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, "o.csv", f'user,item,time,"no\nte"\nu,1,{TIME},\n')
    with pytest.raises(UserError, match=r"o\.csv:1: a quotation mark is not closed, or a column's name spans lines"):
        tabular(path).read()


PIECES = ['"', '""', ",", "\n", "\r\n", "a", "\\", "'", " ", "é"]


@given(text=st.lists(st.sampled_from(PIECES), max_size=24).map("".join))
def test_rows_of_quoted_text_are_those_of_another_reader(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("csv") / "o.csv"
    path.write_text("x,y,z\n" + text, encoding="utf-8", newline="")
    file = CsvFile(path)
    try:
        with file.reading():
            rows = file.scan(["x", "y", "z"]).collect().select("x", "y", "z").rows()
    except UserError:
        return
    found = [[value or "" for value in row] for row in rows]
    others = [[*row, "", "", ""][:3] for row in csv.reader(io.StringIO(text, newline=""), strict=True)]
    assert [row for row in found if any(row)] == [row for row in others if any(row)]
