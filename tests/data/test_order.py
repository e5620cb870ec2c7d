"""Orders that whole seconds, or times at all, do not give."""

import json
from pathlib import Path

import polars as pl
import pytest

from mmrec.data.prepare.manifest import Manifest
from mmrec.data.prepare.pipeline import PrepareOptions, prepare
from mmrec.data.schema import Source
from mmrec.data.sources import Amazon, ItemRecords, RecBole, Sequences, TableFormat, Tabular
from mmrec.errors import InvalidArgument, UserError
from tests.data.rows import LOOSE

NEW = {"user_id": "u", "rating": 5.0}
SECOND = 1_600_000_000


def prepared(source: Source, root: Path, **options: object) -> tuple[Manifest, list[tuple[str, str, int]]]:
    """Return the manifest and (user, item, timestamp) by user in order, with raw ids."""
    folder = prepare(source, PrepareOptions(**{**LOOSE, **options}), root / "data")
    table = pl.read_parquet(folder / "interactions.parquet")
    for column in ("user", "item"):
        raw = pl.read_parquet(folder / f"{column}s.parquet").select(column, pl.col("raw_id").alias(f"raw_{column}"))
        table = table.join(raw, on=column, how="left", maintain_order="left")
    return Manifest.load(folder), table.select("raw_user", "raw_item", "timestamp").rows()


TIMES = {
    "milliseconds": ("auto", [f"{SECOND}{part}" for part in (300, 200, 100)]),
    "microseconds": ("auto", [f"{SECOND}00000{part}" for part in (3, 2, 1)]),
    "nanoseconds": ("auto", [f"{SECOND}00000000{part}" for part in (3, 2, 1)]),
    "seconds with decimals": ("auto", [f"{SECOND}.{part}" for part in ("3", "20", "100000001")]),
    "ISO": ("auto", [f"2020-09-13T12:26:40.{part}Z" for part in ("3", "20", "100000001")]),
    "ISO with a comma and a zone": ("auto", [f"2020-09-13 12:26:40,{part}+02:00" for part in ("003", "002", "001")]),
    "a format": ("%d/%m/%Y %H:%M:%S.%f", [f"13/09/2020 12:26:40.{part}" for part in ("3", "2", "1")]),
    "days of a spreadsheet": ("excel", ["44087.51851859", "44087.51851857", "44087.51851855"]),
}


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_times_below_a_second_decide_the_order(name: str, ending: str, tmp_path: Path) -> None:
    unit, times = TIMES[name]
    rows = [{"user": "u", "item": item, "time": time} for item, time in zip("cba", times, strict=True)]
    path = tmp_path / f"o.{ending}"
    path.write_text(
        pl.DataFrame(rows).write_csv() if ending == "csv" else "".join(json.dumps(row) + "\n" for row in rows)
    )
    _, found = prepared(Tabular(str(path), user="user", item="item", time="time", time_unit=unit), tmp_path)
    assert [row[1] for row in found] == ["a", "b", "c"]
    assert len({row[2] for row in found}) == 1  # whole seconds are stored


@pytest.mark.parametrize(
    "times",
    [
        pl.Series([f"2020-09-13T12:26:40.{part}" for part in (3, 2, 1)]).str.to_datetime(time_unit="ms"),
        pl.Series([SECOND * 10**9 + part for part in (3, 2, 1)]).cast(pl.Datetime("ns", "Europe/Berlin")),
        pl.Series([SECOND * 1000 + part for part in (3, 2, 1)]),
        pl.Series([SECOND + part for part in (0.3, 0.2, 0.1)]),
    ],
)
def test_parquet_times_below_a_second_decide_the_order(times: pl.Series, tmp_path: Path) -> None:
    pl.DataFrame({"user": ["u"] * 3, "item": ["c", "b", "a"], "time": times}).write_parquet(tmp_path / "o.parquet")
    source = Tabular(str(tmp_path / "o.parquet"), user="user", item="item", time="time")
    assert [row[1] for row in prepared(source, tmp_path)[1]] == ["a", "b", "c"]


def test_files_with_and_without_fractions_are_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"user,item,time\nu,c,{SECOND}.5\nu,b,{SECOND}.25\n")
    (tmp_path / "b.csv").write_text(f"user,item,time\nu,a,{SECOND}\n")
    source = Tabular(str(tmp_path / "*.csv"), user="user", item="item", time="time")
    assert [row[1] for row in prepared(source, tmp_path)[1]] == ["a", "b", "c"]


@pytest.mark.parametrize("broken", ["", "{\n"], ids=["blocks", "lines"])
def test_milliseconds_of_amazon_2023_decide_the_order(broken: str, tmp_path: Path) -> None:
    rows = [NEW | {"parent_asin": f"B{k}", "timestamp": SECOND * 1000 + k} for k in (3, 2, 1)]
    (tmp_path / "Toys.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + broken)
    _, found = prepared(Amazon(str(tmp_path), "Toys"), tmp_path, max_bad_share=0.5)
    assert found == [("u", "B1", SECOND), ("u", "B2", SECOND), ("u", "B3", SECOND)]


def orders(folder: Path, content: str) -> str:
    (folder / "o.csv").write_text(content)
    return str(folder / "o.csv")


def test_positions_order_a_users_interactions(tmp_path: Path) -> None:
    path = orders(tmp_path, "user,item,n\nu,c,12\nv,x,0\nu,a,0\nu,b,1\nv,y,0\n")
    manifest, found = prepared(Tabular(path, user="user", item="item", time="n", order="position"), tmp_path)
    assert found == [("u", "a", 0), ("u", "b", 1), ("u", "c", 2), ("v", "x", 0), ("v", "y", 1)]
    assert (manifest.timed, manifest.statistics["leak_share"], manifest.rejected) == (False, {}, {})


def test_rows_order_a_users_interactions(tmp_path: Path) -> None:
    (tmp_path / "o2.csv").write_text("user,item\nu,a\n")
    path = orders(tmp_path, "user,item\nu,c\nv,x\n\n\n\nu,b\n")
    source = Tabular([path, str(tmp_path / "o2.csv")], user="user", item="item", order="file")
    assert prepared(source, tmp_path)[1] == [("u", "c", 0), ("u", "b", 1), ("u", "a", 2), ("v", "x", 0)]


def test_positions_taken_for_times_name_the_option(tmp_path: Path) -> None:
    path = orders(tmp_path, "user,item,n\n" + "".join(f"u,{k},{k % 9}\n" for k in range(90)))
    with pytest.raises(UserError, match=r"small numbers such as '0', which are not times: set order to position"):
        Tabular(path, user="user", item="item", time="n").read()


@pytest.mark.parametrize("options", [{"split": "global_time"}, {"since": "2020-01-01"}, {"until": "2020-01-01"}])
def test_without_times_there_are_no_periods(options: dict, tmp_path: Path) -> None:
    source = Tabular(orders(tmp_path, "user,item\nu,a\n"), user="user", item="item", order="file")
    with pytest.raises(UserError, match="an order and no times"):
        prepared(source, tmp_path, **options)


def test_an_order_and_its_column_go_together() -> None:
    with pytest.raises(InvalidArgument, match="time names no column: set it, or order to file"):
        Tabular("o.csv", user="u", item="i")
    with pytest.raises(InvalidArgument, match="time has no use where order is file"):
        Tabular("o.csv", user="u", item="i", time="t", order="file")


SEQUENCES = {
    "SASRec and S3-Rec": "u1 a b c\nu2 b a\n",
    "pairs of user and items": "u1\ta b c\nu2\tb a\n",
    "an interaction per line": "u1 a\nu2 b\nu1 b\nu1 c\nu2 a",
    "line ends of Windows": "\ufeffu1 a b c \r\n\r\nu2 b a\r\n",
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_sequences_as_text(name: str, tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text(SEQUENCES[name], newline="")
    manifest, found = prepared(Sequences(str(tmp_path / "s.txt"), name="s"), tmp_path)
    assert found == [("u1", "a", 0), ("u1", "b", 1), ("u1", "c", 2), ("u2", "b", 0), ("u2", "a", 1)]
    assert (manifest.rows_read, manifest.rejected, manifest.timed) == (5, {}, False)


def test_lines_of_sequences_that_are_bad_are_counted(tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_bytes(b"u1 a \xff b\nalone\nNULL c\n")
    raw = Sequences(str(tmp_path / "s.txt")).read()
    assert raw.interactions.collect().rows() == [("u1", "a", 0), ("u1", "b", 2)]
    assert {kind: (bad.count, Path(bad.first).name, bad.value) for kind, bad in raw.rejected.items()} == {
        "user without items": (1, "s.txt:2", "alone"),
        "malformed item": (1, "s.txt:1", "\ufffd"),
        "placeholder user id": (1, "s.txt:3", "NULL"),
    }
    assert raw.rows_read == 5


def test_sequences_with_item_records(tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text("u1 1 2\n")
    (tmp_path / "items.tsv").write_text('item\tname\n1\tHat 6"\n2\tCap\n')
    items = ItemRecords(files=str(tmp_path / "items.tsv"), title="name", format=TableFormat(quote=None))
    raw = Sequences(str(tmp_path / "s.txt"), items).read()
    assert raw.items["title"].to_list() == ['Hat 6"', "Cap"]


def recbole(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for ending, content in files.items():
        (folder / f"ml.{ending}").write_text(content)
    return folder


def test_atomic_files_of_recbole(tmp_path: Path) -> None:
    inter = (
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\nu\t2\t5\t1600000000.5\nu\t1\t3\t1600000000.25\n"
    )
    item = "item_id:token\tmovie_title:token_seq\tclass:token_seq\tyear:token\tscore:float\n"
    item += '1\tToy Story\tComedy Drama\t1995\t.5\n2\tHeat 6"\tCrime\t\t\n'
    folder = recbole(tmp_path / "ml", inter=inter, item=item)
    source = RecBole(str(folder))
    manifest, found = prepared(source, tmp_path)
    assert (source.name, manifest.timed) == ("ml", True)
    assert found == [("u", "1", SECOND), ("u", "2", SECOND)]
    first, second = source.read().items.rows()
    assert first[:3] == ("1", "Toy Story", "Toy Story. Comedy Drama. 1995")
    assert json.loads(first[5]) == {"class": ["Comedy", "Drama"], "year": "1995"}
    assert second[1] == 'Heat 6"'


def test_atomic_files_without_times_have_the_order_of_their_rows(tmp_path: Path) -> None:
    folder = recbole(tmp_path / "ml", inter="user_id:token\titem_id:token\nu\tb\nv\ta\nu\ta\n")
    manifest, found = prepared(RecBole(str(folder / "ml.inter"), name="mine"), tmp_path)
    assert found == [("u", "b", 0), ("u", "a", 1), ("v", "a", 0)]
    assert not manifest.timed


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"inter": "user\titem\nu\ti\n"}, r"ml\.inter:1: expected columns such as user_id:token between tabs"),
        ({"item": "item_id:token\n"}, r"must hold one file that ends in \.inter, but holds none"),
        ({"inter": "uid:token\titem_id:token\nu\ti\n"}, r"ml\.inter: no column 'user_id:token' among 'uid:token'"),
    ],
)
def test_what_is_not_recbole_is_named(files: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        RecBole(str(recbole(tmp_path / "ml", **files))).read()


COUNTS = {
    "beauty": (22_363, 12_101, 198_502),
    "microlens": (50_000, 19_220, 359_708),
    "hm_product": (564, 942, 8_616),
    "hm_article": (496, 1_710, 7_070),
}


@pytest.mark.realdata
@pytest.mark.parametrize("name", COUNTS)
def test_published_counts_of_the_data_configs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mmrec.cli.main import main

    config = Path(__file__).parents[2] / "lightning_configs"
    monkeypatch.chdir(tmp_path)
    main(["prepare", "--config", str(config / "run" / "movielens_sasrec.yaml"), "--data", name])
    (file,) = (tmp_path / "data").glob("*/*/manifest.json")
    manifest = Manifest.load(file.parent)
    assert (manifest.n_users, manifest.n_items - 1, manifest.n_interactions) == COUNTS[name]
    assert manifest.rejected == {}
