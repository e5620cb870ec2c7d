import csv
import gzip
import json
import random
import unicodedata
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrec.data.prepare.manifest import Manifest
from mmrec.data.prepare.pipeline import PrepareOptions, prepare
from mmrec.data.sources import ItemRecords, MovieLens, Tabular
from mmrec.data.sources.readers import jsonl as _jsonl
from mmrec.data.sources.tabular.template import Template
from mmrec.errors import InvalidArgument, UserError
from tests.data.rows import LOOSE, jpeg
from tests.data.tables import EVENT, HEADER, events, faults, tabular, write


def test_worked_example(tmp_path: Path) -> None:
    orders = "customer_id,sku,ordered_at,stars,quantity\n7,007,2024-01-31T10:00:00+02:00,5,2\n7,8,2024-01-31,,1\n"
    products = (
        'sku,name,brand,description,kinds\n007,Hat,,"Warm,\nsoft",Wool|Winter\n8,Cap,Miro,,\n8,Again,,,\n9,New,,,\n'
    )
    write(tmp_path, "shop/photos/007.jpg", jpeg())
    source = Tabular(
        name="my-shop",
        interactions=write(tmp_path, "shop/orders/2024.csv", orders),
        user="customer_id",
        item="sku",
        time="ordered_at",
        rating="stars",
        weight="quantity",
        items=ItemRecords(
            files=write(tmp_path, "shop/products.csv", products),
            title="name",
            text="{name}. {brand}. {description}",
            image="photos/{sku}.jpg",
            attributes={"brand": "brand", "kind": "kinds"},
            list_separator="|",
        ),
    )
    assert events(source) == [("7", "007", 1706688000, 5.0, 2.0), ("7", "8", 1706659200, None, 1.0)]
    folder = prepare(source, PrepareOptions(**LOOSE), tmp_path / "data")
    manifest = Manifest.load(folder)
    assert (folder.parent.name, manifest.n_users, manifest.n_items, manifest.n_interactions) == ("my-shop", 1, 3, 2)
    assert (manifest.rows_read, manifest.item_rows_read, manifest.repeated_items) == (2, 4, 1)
    assert manifest.missing == {"text": 0, "image": 1}
    items = pl.read_parquet(folder / "items.parquet").drop("item", "image_url").rows()[1:]
    assert sorted(items) == [
        ("007", "Hat", "Hat. Warm,\nsoft", str(tmp_path / "shop/photos/007.jpg"), '{"kind": ["Wool", "Winter"]}'),
        ("8", "Cap", "Cap. Miro", None, '{"brand": "Miro"}'),
    ]


def test_all_formats_give_the_same_data(tmp_path: Path) -> None:
    rng = random.Random(0)
    rows = [
        {"user": rng.randrange(20), "item": rng.randrange(9), "time": 1_700_000_000 + rng.randrange(99), "n": None}
        | {"rating": rng.choice([None, 1.5, 5.0])}
        for _ in range(300)
    ]
    found = set()
    for name in ("o.csv", "o.tsv", "o.csv.gz", "o.parquet", "o.jsonl", "o.json.gz", "o.ndjson"):
        source = tabular(write(tmp_path / name, name, rows), rating="rating")
        options = PrepareOptions(**{**LOOSE, "min_rating": 2.0})
        found.add(Manifest.load(prepare(source, options, tmp_path / "data")).data_hash)
        assert events(source)[0] == (str(rows[0]["user"]), str(rows[0]["item"]), rows[0]["time"], rows[0]["rating"])
    assert len(found) == 1


NAMES = ["user", "item", "time", "rating", "weight", "line", "row", "index", "fault", "fraction", "timestamp"]
NAMES += ["surplus", "surplus 0", "filled", "0", "id", "raw_id", "title", "text", "image", "attributes"]


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_a_column_of_any_name_may_have_any_role(ending: str, tmp_path: Path) -> None:
    values = {"user": "u", "item": "i", "time": 1_700_000_000, "rating": 4.0, "weight": 2.0}
    for place in range(0, len(NAMES), 3):
        names = NAMES[place:] + NAMES[:place]
        roles = dict(zip([*values, "title"], names, strict=False))
        row = {**dict.fromkeys(names, "other"), **{roles[role]: value for role, value in values.items()}}
        for rows in ([row], [row, {**row, roles["item"]: None}]):  # blocks of JSON, and line by line
            path = write(tmp_path, f"o.{ending}", rows)
            raw = tabular(path, **roles, items=path, attributes=names[6:8]).read()
            assert raw.interactions.collect().rows() == [tuple(values.values())], roles
            facts = json.dumps(dict.fromkeys(names[6:8], "other"))
            assert raw.items.rows() == [("i", "other", None, None, None, facts)], roles
            assert [Path(bad.first).name for bad in raw.rejected.values()] == [
                f"o.{ending}:{3 if ending == 'csv' else 2}" if ending != "parquet" else "o.parquet: row 2"
            ][: len(rows) - 1]


BIG = 2**63 - 1
IDS = [("007", "007"), (7, "7"), (7.0, "7"), (BIG, str(BIG)), ("7.0", "7.0"), ("Ünï ☃", "Ünï ☃"), (" 7 ", "7")]
NO_IDS = [(7.5, "malformed"), (1e300, "malformed"), ("a\nb", "malformed"), ("", "missing"), (None, "missing")]


@pytest.mark.parametrize(("value", "expected"), [*IDS, *NO_IDS, (float("nan"), "missing")])
@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_ids_of_any_type(value: object, expected: str, ending: str, tmp_path: Path) -> None:
    good = {**EVENT, "item": "good" if isinstance(value, str | None) else 1}
    raw = tabular(write(tmp_path, f"o.{ending}", [good, {**EVENT, "item": value}])).read()
    if expected in ("malformed", "missing"):
        assert faults(raw) == {f"{expected} item": (1, "o.parquet: row 2" if ending == "parquet" else "o.jsonl:2")}
    else:
        assert raw.interactions.collect()["item"][1] == expected


def test_ids_of_typed_columns(tmp_path: Path) -> None:
    table = pl.DataFrame({"user": ["a"], "item": [Decimal("7.00")], "time": [1]}).with_columns(
        pl.col("user").cast(pl.Categorical)
    )
    table.write_parquet(tmp_path / "o.parquet")
    assert events(tabular(str(tmp_path / "o.parquet"))) == [("a", "7", 1)]


def test_blocks_of_json_equal_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(0)
    values = [7, "7", 7.0, 7.5, "7.5", True, "true", None, [1], {"a": 1}, 1e17, 10**17, "1e17", "é", "\ud800", 2**70]
    rows = [{"user": "u", "item": rng.choice(values[:2]), "time": 1_700_000_000, "n": k} for k in range(400)]
    for row in rng.sample(rows, 40):
        row[rng.choice(["user", "item", "time"])] = rng.choice(values)
    path = write(tmp_path, "o.jsonl", rows)
    results = []
    for block, small in ((1 << 24, 1), (997, 1), (997, 200), (1 << 24, 1 << 24)):
        monkeypatch.setattr(_jsonl, "BLOCK", block)
        monkeypatch.setattr(_jsonl, "SMALL", small)
        raw = tabular(path, time_unit="seconds").read()
        results.append((raw.interactions.collect().rows(), faults(raw), raw.rows_read))
    assert all(result == results[-1] for result in results)
    assert 350 < len(results[0][0]) < results[0][2] == 400


@pytest.mark.parametrize(
    ("pattern", "values", "expected"),
    [
        ("{a}. {b}. {c}", "a c", "A. C"),
        ("{a}. {b}. {c}", "b", "B"),
        ("{a}. {b}. {c}.", "a", "A."),
        ("{a}. {b}. {c}", "", ""),
        ("{a} by {b}. {c}", "a c", "A. C"),
        ("{a} by {b}. {c}", "b c", "B. C"),
        ("{a} ({b}). Colour: {c}", "a c", "A. Colour: C"),
        ("{a} ({b}). Colour: {c}", "a b", "A (B)"),
        ("{a} ({b})", "a", "A"),
        ("Brand: {a}, {b} and {c}", "b c", "B and C"),
        ("{a} | {b} | {c}", "a c", "A | C"),
        ("{a}\n{b}", "b", "B"),
        ("{{{a}}}", "a", "{A}"),
        ("a", "a", "A"),
    ],
)
def test_a_blank_column_takes_its_punctuation_along(pattern: str, values: str, expected: str) -> None:
    template = Template.parse(pattern, "text")
    assert template.write({name: name.upper() for name in values.split()}) == expected


def test_a_full_stop_is_not_doubled() -> None:
    assert Template.parse("{a}. {b}.", "text").write({"a": "Nice hat!", "b": "It is warm."}) == "Nice hat! It is warm."


def test_several_files_are_read_as_one_and_faults_name_the_file(tmp_path: Path) -> None:
    write(tmp_path, "o/b.parquet", [EVENT, {**EVENT, "user": None}])
    write(tmp_path, "o/a.csv", HEADER + 'u,"1",1700000000\n\n,"2",1700000000\n')
    write(tmp_path, "o/c.jsonl.gz", '\n{"user": "u", "item": 3, "time": 1700000000}\n{}\n{"user"\n')
    write(tmp_path, "o/_SUCCESS", "")
    for paths in (
        str(tmp_path / "o"),
        [str(tmp_path / "o" / "[bc].*"), str(tmp_path / "o/a.csv"), str(tmp_path / "*/a*")],
    ):
        raw = tabular(paths).read()
        assert raw.interactions.collect()["item"].to_list() == ["1", "i", "3"]
        assert faults(raw) == {"missing user": (3, "a.csv:4"), "broken JSON": (1, "c.jsonl.gz:4")}
        assert raw.rows_read == 7


def test_a_row_without_mapped_columns_is_bad_and_a_blank_line_is_not_counted(tmp_path: Path) -> None:
    raw = tabular(write(tmp_path, "o.csv", "id,user,item,time\n1,u,i,5\n\n2,,,\n,,,\n")).read()
    assert (raw.rows_read, faults(raw)) == (2, {"missing user": (1, "o.csv:4")})


def test_line_breaks_are_allowed_in_text_and_not_in_ids(tmp_path: Path) -> None:
    rows = 'user,item,time,note\nu,i,5,"a\nb"\nu,"i\nj",5,\nu,k,x,\n' + "u,i,5,\n" * 50
    raw = tabular(write(tmp_path, "o.csv", rows)).read()
    assert faults(raw) == {"malformed item": (1, "o.csv:4"), "impossible timestamp": (1, "o.csv:6")}


def test_item_records(tmp_path: Path) -> None:
    items = write(
        tmp_path,
        "i.jsonl",
        [
            {"sku": 1, "name": " A ", "tags": ["x", None, "y"], "year": 1995.0, "url": ["https://a/1", "https://a/2"]},
            {"sku": "1", "name": "again"},
            {"name": "no id"},
            {"sku": "a\nb"},
            {"sku": "2", "tags": "p;q", "year": None, "name": "\ud800"},
        ],
    )
    options = {"items": items, "item_id": "sku", "title": "name", "text": "{name}: {tags}", "image_url": "url"}
    source = tabular(
        write(tmp_path, "o.csv", HEADER + "u,1,5\n"), attributes=["tags", "year"], list_separator=";", **options
    )
    raw = source.read()
    assert raw.items.drop("image").rows() == [
        ("1", "A", "A: x, y", "https://a/1", '{"tags": ["x", "y"], "year": "1995"}'),
        ("2", "?", "?: p;q", None, '{"tags": ["p", "q"]}'),
    ]
    kinds = {"item record without id": (1, "i.jsonl:3"), "item record with malformed id": (1, "i.jsonl:4")}
    assert (faults(raw), raw.repeated_items, raw.rows_read, raw.item_rows_read) == (kinds, 1, 1, 5)


@pytest.mark.parametrize("order", ["time", "position", "file"])
@pytest.mark.parametrize("name", ["o.csv", "o.jsonl", "o.parquet"])
def test_rows_are_left_out_by_their_values(name: str, order: str, tmp_path: Path) -> None:
    times = [None, 1_700_000_009, 1_700_000_001, 1_700_000_002, -5]
    status = ["returned", "sent", "Returned ", " returned", "sent"]
    users = ["u", "u", "test", "u", "u"]
    rows = [
        {"user": user, "item": str(number), "time": time, "status": state}
        for number, (user, time, state) in enumerate(zip(users, times, status, strict=True))
    ]
    options = {"order": order, **({"time": None} if order == "file" else {})}
    source = tabular(write(tmp_path, name, rows), leave_out={"status": ["returned"], "user": ["test"]}, **options)
    raw = source.read()
    assert [row[1] for row in events(source)] == (["1", "4"] if order == "file" else ["1"])
    assert raw.rows_read == 2
    assert {kind: (bad.count, bad.first[-2:]) for kind, bad in raw.rejected.items()} == (
        {} if order == "file" else {"impossible timestamp": (1, {"o.csv": ":6", "o.jsonl": ":5"}.get(name, " 5"))}
    )
    assert [(kind.partition("where ")[2], note.count) for kind, note in raw.notes.items()] == [
        ("status is returned", 2), ("user is test", 1)
    ]  # fmt: skip
    with pytest.raises(UserError, match=r"no column 'state'.*set leave_out"):
        tabular(write(tmp_path, name, rows), leave_out={"state": ["returned"]}, **options).read()


def test_html_is_no_part_of_a_text_and_signs_that_look_like_it_stay(tmp_path: Path) -> None:
    texts = ['<p class="x">Warm &amp; <br/>light</p>&nbsp;<!-- note -->', "sizes <8 and >12", "Cat & dog  <3"]
    rows = [{"sku": name, "name": text, "tags": [text]} for name, text in zip("abc", texts, strict=True)]
    options = {"items": write(tmp_path, "i.jsonl", rows), "item_id": "sku", "title": "name", "text": "{name}."}
    raw = tabular(write(tmp_path, "o.csv", HEADER + "u,a,5\n"), attributes=["tags"], **options).read()
    expected = ["Warm & light", "sizes <8 and >12", "Cat & dog  <3"]
    assert raw.items["title"].to_list() == expected
    assert raw.items["text"].to_list() == [f"{text}." for text in expected]
    assert [json.loads(facts) for facts in raw.items["attributes"]] == [{"tags": [text]} for text in expected]


def test_an_existing_file_with_brackets_in_its_name_is_not_a_pattern(tmp_path: Path) -> None:
    path = write(tmp_path, "raw [new]/o.csv", HEADER + "u,1,1000000005\n")
    assert events(tabular(path)) == events(tabular(str(Path(path).parent))) != []


@pytest.mark.parametrize(
    ("name", "content"),
    [("o.csv", HEADER + "u,1,1000000005\n"), ("o.jsonl", '{"user": "u", "item": 1, "time": 1000000005}\n')],
)
def test_gzip_is_recognised_by_its_content(name: str, content: str, tmp_path: Path) -> None:
    path = write(tmp_path, name, gzip.compress(content.encode()))
    assert [row[:3] for row in events(tabular(path))] == [("u", "1", 1000000005)]


def test_images_by_pattern_and_by_column(tmp_path: Path) -> None:
    for name in ("p/red/1.png", "p/2.jpg"):
        write(tmp_path, name, jpeg())
    rows = [{"item": 1, "kind": "red", "file": "red/1.png"}, {"item": 2, "kind": "", "file": "2.jpg"}]
    rows += [{"item": 3, "kind": "red", "file": "gone.jpg"}, {"item": 4, "kind": None, "file": "\0"}]
    items = write(tmp_path, "i.parquet", rows)
    orders = write(tmp_path, "o.csv", HEADER + "u,1,5\n")
    one, two = str(tmp_path / "p/red/1.png"), str(tmp_path / "p/2.jpg")
    for options, expected, folder in (
        ({"image": "p/{kind}/{item}.png"}, [one, None, None, None], tmp_path / "p"),
        ({"image": "p/{item}.*"}, [None, two, None, None], tmp_path / "p"),
        ({"image": "file", "images": str(tmp_path / "p")}, [one, two, None, None], tmp_path / "p"),
        ({"image": "file"}, [None] * 4, None),
        ({"image": str(tmp_path / "p" / "{item}.jpg")}, [None, two, None, None], tmp_path / "p"),
    ):
        source = tabular(orders, items=items, **options)
        assert (source.read().items["image"].to_list(), source.image_folder()) == (expected, folder), options
        assert source.options()["items"]["images"] == (None if folder else str(tmp_path))


def test_what_changes_the_result_makes_another_dataset(tmp_path: Path) -> None:
    orders, items = write(tmp_path, "o.csv", HEADER + "u,1,5\n"), write(tmp_path, "i.csv", "item,name,more\n1,a,b\n")
    write(tmp_path, "p/2.jpg", jpeg())

    def folder(**options: object) -> Path:
        source = tabular(orders, items=items, image="p/{item}.jpg", **options)
        return prepare(source, PrepareOptions(**LOOSE), tmp_path / "data")

    folders = [folder(), folder(text="name"), folder(text="more")]
    assert folders[0] == folder()
    write(tmp_path, "p/1.jpg", jpeg())
    assert len({*folders, folder()}) == 4


@pytest.mark.parametrize(
    ("options", "files", "message"),
    [
        (
            {"user": "usr"},
            {},
            r"o\.csv: no column 'usr' among 'user', 'item', 'time': set user \(did you mean user\?\)$",
        ),
        (
            {"text": "{nam}"},
            {},
            r"i\.csv: no column 'nam' among .*: set items\.text \(did you mean name\?\)$",
        ),
        ({"text": "{nam"}, {}, r"text: '\{nam' is not a pattern"),
        ({"item_id": "sku"}, {}, r"i\.csv: no column 'sku' .*items\.id$"),
        ({"interactions": "o.x*"}, {}, r"interactions: no file matches o\.x\* in "),
        (
            {"interactions": "o.xls"},
            {"o.xls": ""},
            r"o\.xls: .*interactions must name files that end in \.csv, \.tsv",
        ),
        ({"interactions": []}, {}, r"interactions is an empty list"),
        ({"interactions": "folder"}, {"folder/x.txt": ""}, r"interactions: no file in .*folder ends in \.csv"),
        (
            {"interactions": ["o.csv", "p.csv"]},
            {"p.csv": "user,item\n"},
            r"p\.csv: no column 'time' among 'user', 'item'",
        ),
        ({}, {"o.csv": "user;item;time\n"}, r"o\.csv: no column .*, or format\.separator to ';'$"),
        ({"interactions": "o.csv.gz"}, {"o.csv.gz": HEADER * 9999}, r"o\.csv\.gz: the gzip data breaks off"),
        ({"interactions": "o.parquet"}, {"o.parquet": "PAR1"}, r"o\.parquet: not readable as Parquet"),
        (
            {"interactions": "o.json"},
            {"o.json": json.dumps([EVENT], indent=1)},
            r"o\.json:1: a JSON array: write one",
        ),
        (
            {"interactions": "o.jsonl", "rating": "r"},
            {"o.jsonl": json.dumps(EVENT)},
            r"o\.jsonl: no column 'r' among 'us",
        ),
        ({}, {"o.csv": HEADER + 'u,"i,5\n'}, r"o\.csv:2: a quotation mark is not closed"),
        ({}, {"i.csv": b"item,name\n1,\xe9\n"}, r"i\.csv:2: not UTF-8"),
        ({"images": "p"}, {}, r"images is the folder where image paths start, but image is null"),
        (
            {"items": ["i.csv", "f/i.csv"], "image": "{item}"},
            {"f/i.csv": "item,name\n"},
            r"item files lie in .* and .*images",
        ),
        (
            {},
            {"i.csv": "item,name\nother,a\n"},
            r"no record of any item .* like '1', those here like 'other': set .*items\.id",
        ),
        ({"time_unit": "hours"}, {}, r"time_unit must be auto, iso, seconds, .* but is 'hours'"),
        ({"time_unit": "%H:%M"}, {}, r"time_unit: '%H:%M' does not give a day"),
        ({"separator": "::"}, {}, r"separator must be one ASCII character, but is '::'"),
        (
            {"attributes": ["name"], "list_separator": {"nam": "|"}},
            {},
            r"list_separator: no fact 'nam' among .*\(name\)",
        ),
        ({"name": "a/b"}, {}, r"name must be a valid folder name, but is 'a/b'"),
    ],
)
def test_mistakes_end_in_one_line(
    options: dict, files: dict, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in {"o.csv": HEADER + "u,1,5\n", "i.csv": "item,name\n1,a\n", **files}.items():
        path = write(tmp_path, name, content)
        if name.endswith(".gz"):
            Path(path).write_bytes(Path(path).read_bytes()[:-12])
    with pytest.raises((InvalidArgument, UserError), match=message) as error:
        tabular(**{"interactions": "o.csv", "items": "i.csv", "title": "name", **options}).read()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("column", ["user", "time", "rating"])
def test_columns_of_the_wrong_type_are_named(column: str, tmp_path: Path) -> None:
    path = write(tmp_path, "o.parquet", [{**EVENT, "rating": 1.0, column: [1, 2]}])
    with pytest.raises(
        UserError, match=rf"o\.parquet: column '{column}' holds List\(Int64\) values, which (?:are not|cannot be)"
    ):
        tabular(path, rating="rating").read()


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ID = (
    st.text(
        st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffd\u200b\u2060\ufeff\xa0\u2007\u202f"),
        min_size=1,
        max_size=5,
    )
    .map(lambda text: unicodedata.normalize("NFC", text).strip())
    .filter(lambda text: text and text.lower() not in ("nan", "null", "none", "<na>", "\\n"))
)


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(st.tuples(ID, TEXT, ID), min_size=1, max_size=9),
    separator=st.sampled_from([",", ";", "\t", "|"]),
)
def test_nasty_strings_survive(
    rows: list[tuple[str, str, str]], separator: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("nasty") / "o.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=separator)
        writer.writerows([("user", "note", "item", "time"), *((*row, 9 + place) for place, row in enumerate(rows))])
    source = tabular(str(path), items=str(path), text="note", separator=separator)
    raw = source.read()
    assert raw.rejected == {}
    assert raw.interactions.collect().rows() == [(user, item, 9 + place) for place, (user, _, item) in enumerate(rows)]
    first = {item: note for _, note, item in reversed(rows)}
    assert dict(raw.items.select("item", "text").rows()) == {item: note.strip() or None for item, note in first.items()}


@pytest.mark.realdata
def test_real_movielens_as_a_table_is_movielens(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "movielens-1m-poster"
    source = Tabular(
        interactions=str(folder / "ratings.csv"),
        user="userId",
        item="movieId",
        time="timestamp",
        rating="rating",
        items=ItemRecords(
            files=str(folder / "movies.csv"),
            title="title",
            text="{title}. {genres}",
            image="posters/{movieId}.jpg",
        ),
    )
    options = PrepareOptions(user_core=5, item_core=5, split="leave_one_out")
    ours, theirs = (prepare(reader, options, tmp_path) for reader in (source, MovieLens(str(folder))))
    assert Manifest.load(ours).data_hash == Manifest.load(theirs).data_hash
