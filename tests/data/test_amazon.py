import gzip
import json
import random
from pathlib import Path

import pytest

from mmrec.data.prepare.pipeline import PrepareOptions, prepare
from mmrec.data.sources import Amazon
from mmrec.data.sources.readers import jsonl as _jsonl
from mmrec.errors import UserError
from tests.data.rows import LOOSE, jpeg

OLD = {"reviewerID": "A1", "asin": "B1", "overall": 5.0, "unixReviewTime": 1441324800, "style": {"Size:": " 8"}}
NEW = {"user_id": "A1", "parent_asin": "B1", "asin": "V1", "rating": 5.0, "timestamp": 1441324800123, "images": []}


def write(folder: Path, name: str, *records: object, raw: bytes = b"") -> Path:
    """Write records as JSON lines, then raw bytes; gzip if so named."""
    folder.mkdir(exist_ok=True)
    content = b"".join(json.dumps(record).encode() + b"\n" for record in records) + raw
    (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return folder


def events(folder: Path) -> list[tuple]:
    return Amazon(str(folder), "Toys").read().interactions.collect().rows()


@pytest.mark.parametrize("name", ["TOYS.json.gz", "TOYS.json", "TOYS_5.json.gz", "Toys.jsonl.gz", "Toys.jsonl"])
def test_both_releases_give_the_same_events(name: str, tmp_path: Path) -> None:
    record = NEW if "jsonl" in name else OLD
    second = {**record, "overall": None, "rating": None}
    assert [row[:4] for row in events(write(tmp_path, name, record, second))] == [
        ("A1", "B1", 1441324800, 5.0),
        ("A1", "B1", 1441324800, None),
    ]


def test_text_and_facts_of_2018(tmp_path: Path) -> None:
    product = {
        "asin": "B1",
        "title": "Felt &amp; Wool Hat",
        "brand": "Miro",
        "category": ["Clothing", "Hats"],
        "feature": ["Material: felt", "For sizes <8 and >12"],
        "description": ["<p>Warm\n and <b>soft</b></p>", ""],
        "price": "$12.99",
    }
    again = {"asin": "B1", "title": "another title"}
    bare = {"asin": "B2", "price": ".a-box-inner{background-color:#fff; padding: 1px}"}
    write(tmp_path, "TOYS.json", OLD)
    write(tmp_path, "meta_TOYS.json.gz", product, again, bare)
    write(tmp_path / "images", "B1.png", raw=jpeg())
    item, _, other = Amazon(str(tmp_path), "TOYS").read().items.rows()
    assert item[1] == "Felt & Wool Hat"
    assert item[2] == ("Felt & Wool Hat. Miro. Clothing. Hats. Material: felt. For sizes <8 and >12. Warm and soft")
    assert item[3] == str(tmp_path / "images" / "B1.png")
    facts = {"brand": "Miro", "categories": ["Clothing", "Hats"], "price": "$12.99", "material": "felt"}
    assert json.loads(item[5]) == facts
    assert other == ("B2", "", "", None, None, "{}")


def test_text_and_facts_of_2023(tmp_path: Path) -> None:
    product = {"parent_asin": "B1", "title": "Hat", "store": "Miro", "features": [], "description": ["Warm"]}
    product |= {"categories": [], "price": 5.97, "details": {"Colour": "red"}, "images": [{"large": "https://x/y.jpg"}]}
    write(tmp_path, "Toys.jsonl", NEW)
    write(tmp_path, "meta_Toys.jsonl", product)
    facts = {"brand": "Miro", "price": "5.97", "Colour": "red"}
    assert Amazon(str(tmp_path), "TOYS").read().items.rows() == [
        ("B1", "Hat", "Hat. Miro. Warm", None, "https://x/y.jpg", json.dumps(facts))
    ]


def test_the_first_of_several_products_with_one_id_counts(tmp_path: Path) -> None:
    write(tmp_path, "TOYS.json", OLD)
    write(tmp_path, "meta_TOYS.json", {"asin": "B1", "title": "first"}, {"asin": "B1", "title": "second"})
    folder = prepare(Amazon(str(tmp_path), "TOYS"), PrepareOptions(**LOOSE), tmp_path)
    assert "first" in (folder / "items.parquet").read_bytes().decode("latin-1")


def test_bad_rows_are_counted_by_kind_with_their_first_place(tmp_path: Path) -> None:
    bad = [{**OLD, "reviewerID": ""}, {**OLD, "asin": None}, {**OLD, "unixReviewTime": -1}, {**OLD, "overall": "five"}]
    bad += [{**OLD, "unixReviewTime": 1441324800123}, {**OLD, "unixReviewTime": None}, {**OLD, "reviewerID": ["A"]}]
    write(tmp_path, "TOYS.json", OLD, *bad, raw=b'\n{"reviewerID": "A1", "as\n[1]\n\xff\xfe\n' + b"[" * 9999)
    write(tmp_path, "meta_TOYS.json", {"title": "no id"}, raw=b"{")
    raw = Amazon(str(tmp_path), "TOYS").read()
    found = {kind: (entry.count, Path(entry.first).name) for kind, entry in raw.rejected.items()}
    assert found == {
        "missing user": (2, "TOYS.json:2"),
        "missing item": (1, "TOYS.json:3"),
        "impossible timestamp": (3, "TOYS.json:4"),
        "malformed rating": (1, "TOYS.json:5"),
        "broken JSON": (4, "TOYS.json:10"),
    }
    items = {kind: (entry.count, Path(entry.first).name) for kind, entry in raw.rejected_items.items()}
    assert items == {"broken JSON": (1, "meta_TOYS.json:2"), "product without id": (1, "meta_TOYS.json")}
    assert raw.item_rows_read == 2
    assert raw.interactions.collect().height == 1
    assert raw.rows_read == 1 + sum(count for count, _ in found.values())


def test_a_broken_line_changes_no_other_line(tmp_path: Path) -> None:
    strange = [
        {**NEW, "timestamp": "1441324800123"},
        {**NEW, "timestamp": 1441324800123.0},
        {**NEW, "parent_asin": None},
    ]
    alone = events(write(tmp_path / "alone", "Toys.jsonl", *strange))
    together = events(write(tmp_path / "together", "Toys.jsonl", *strange, raw=b"{broken\n"))
    assert [row[2] for row in alone] == [1441324800] * 3
    assert together == alone


@pytest.mark.parametrize("name", ["TOYS.json", "TOYS.JSON.GZ"])
def test_gzip_is_recognised_by_its_content(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(gzip.compress(json.dumps(OLD).encode()))
    assert events(tmp_path) == [("A1", "B1", 1441324800, 5.0)]


def test_product_records_of_the_same_release_are_read(tmp_path: Path) -> None:
    write(tmp_path, "Toys.jsonl", NEW)
    write(tmp_path, "meta_TOYS.json", {"asin": "B1", "title": "of 2018"})
    write(tmp_path, "meta_Toys.jsonl", {"parent_asin": "B1", "title": "of 2023"})
    assert Amazon(str(tmp_path), "TOYS").read().items["title"].to_list() == ["of 2023"]
    write(tmp_path, "meta_Toys.json", {"parent_asin": "B1", "title": "twice"})
    with pytest.raises(UserError, match=r"several files of product records .*option meta"):
        Amazon(str(tmp_path), "TOYS").read()


def test_shares_of_bad_reviews_and_of_bad_records_are_checked_apart(tmp_path: Path) -> None:
    write(tmp_path, "TOYS.json", *[OLD] * 20, raw=b"{broken\n")
    write(tmp_path, "meta_TOYS.json", *({"asin": f"B{k}", "title": "hat"} for k in range(900)))
    with pytest.raises(UserError, match=r"1 of 21 rows are bad"):
        prepare(Amazon(str(tmp_path), "TOYS"), PrepareOptions(**LOOSE), tmp_path)
    write(tmp_path, "TOYS.json", *[OLD] * 900)
    write(tmp_path, "meta_TOYS.json", {"asin": "B1"}, raw=b"{broken\n")
    with pytest.raises(UserError, match=r"1 of 2 item records are bad"):
        prepare(Amazon(str(tmp_path), "TOYS"), PrepareOptions(**LOOSE), tmp_path)


def test_reviews_alone_say_that_no_records_were_found(tmp_path: Path) -> None:
    write(tmp_path, "TOYS.json", OLD)
    with pytest.raises(UserError, match=r"none of the remaining items has a text: .*meta_<category>"):
        prepare(Amazon(str(tmp_path), "TOYS"), PrepareOptions(), tmp_path)


def test_blocks_equal_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(0)
    kinds = [OLD, OLD, OLD, {**OLD, "reviewerID": 7}, {**OLD, "unixReviewTime": 1.5e9}, {**OLD, "asin": "é b"}]
    kinds += [{**OLD, "reviewerID": True}, {**OLD, "overall": True}, {"verified": True}, {**OLD, "asin": "\ud800"}]
    lines = [json.dumps({**rng.choice(kinds), "vote": k}).encode() for k in range(300)]
    lines = [line if rng.random() < 0.9 else rng.choice([b"", b"  ", line[:30], b"null"]) for line in lines]
    write(tmp_path, "TOYS.json.gz", raw=b"\xef\xbb\xbf" + b"\r\n".join(lines))
    results = []
    for block, small in ((1 << 24, 1), (997, 1), (997, 200), (1 << 24, 1 << 24)):
        monkeypatch.setattr(_jsonl, "BLOCK", block)
        monkeypatch.setattr(_jsonl, "SMALL", small)
        raw = Amazon(str(tmp_path), "TOYS").read()
        results.append((raw.interactions.collect().rows(), raw.rejected, raw.rows_read))
    assert all(result == results[-1] for result in results)
    assert len(results[0][0]) > 100
    assert results[0][2] == sum(bool(line.strip()) for line in lines)


def test_damaged_gzip_names_the_line(tmp_path: Path) -> None:
    folder = write(tmp_path, "TOYS.json.gz", OLD, OLD)
    file = folder / "TOYS.json.gz"
    file.write_bytes(file.read_bytes()[:-12])
    with pytest.raises(UserError, match=r"TOYS\.json\.gz:1: the gzip data breaks off"):
        events(folder)


def test_a_wrong_folder_is_named_with_its_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere not found.*MMREC_DATA"):
        Amazon("nowhere").files()
    with pytest.raises(UserError, match=r"no reviews of AMAZON_FASHION \(found: Toys\.jsonl\)"):
        Amazon(str(write(tmp_path, "Toys.jsonl", NEW))).files()
    with pytest.raises(UserError, match="several files"):
        Amazon(str(write(tmp_path, "TOYS_5.json", OLD)), "TOYS").files()


@pytest.mark.realdata
def test_real_fashion(real_data: Path, tmp_path: Path) -> None:
    options = PrepareOptions(**LOOSE, repeats="all")
    folder = prepare(Amazon(str(real_data / "amazon-fashion")), options, tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["n_users"], manifest["n_items"], manifest["n_interactions"]) == (406, 32, 3176)
    assert manifest["rejected"] == {}


@pytest.mark.realdata
def test_real_products_of_2023(real_data: Path, tmp_path: Path) -> None:
    (tmp_path / "Fashion.jsonl").write_text("")
    name = "meta_Amazon_Fashion_sample500.jsonl"
    (tmp_path / "meta_Fashion.jsonl").write_bytes((real_data / "amazon-fashion" / name).read_bytes())
    raw = Amazon(str(tmp_path), "FASHION").read()
    assert raw.items.height == 500
    assert raw.rejected == {}
    assert raw.items["text"].str.len_chars().min() > 5
