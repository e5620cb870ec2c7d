import json
import math
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrec.data.prepare.manifest import Manifest
from mmrec.data.prepare.pipeline import PrepareOptions, prepare
from mmrec.data.prepare.split import split_interactions
from mmrec.data.schema import Rejected
from mmrec.errors import InvalidArgument, UserError
from tests.data.rows import LOOSE, Rows, jpeg, prepared

RULES = ("ratio", "leave_one_out", "global_time")
EVENTS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 6), st.integers(1, 9)), min_size=1, max_size=60
)  # few users, items and times: repeats and ties everywhere


def random_events(count: int = 400, seed: int = 0) -> list[tuple]:
    rng = random.Random(seed)
    return [(rng.randrange(30), min(rng.randrange(25), rng.randrange(25)), rng.randrange(1, 99)) for _ in range(count)]


def split_of(times: list[tuple[int, int]], rule: str) -> list[int]:
    counts = Counter(user for user, _ in times)
    offsets = np.cumsum([0, *(counts[user] for user in sorted(counts))])
    return split_interactions(offsets, np.array([time for _, time in times]), rule).tolist()


def naive_split(times: list[tuple[int, int]], rule: str) -> list[int]:
    """Split (user, time) rows that are grouped by user, by the words of `split_interactions`."""
    if rule == "global_time":
        ordered = sorted(time for _, time in times)
        first, second = (ordered[math.ceil(len(ordered) * tenths / 10) - 1] for tenths in (8, 9))
        return [0 if time <= first else 1 if time <= second else 2 for _, time in times]
    splits: list[int] = []
    for _, count in sorted(Counter(user for user, _ in times).items()):
        held = 0 if count < 3 else 1 if rule == "leave_one_out" else max(1, count // 10)
        splits += [0] * (count - 2 * held) + [1] * held + [2] * held
    return splits


def naive_core(events: list[tuple], user_core: int, item_core: int, iterate: bool) -> list[tuple]:
    while True:
        users, items = Counter(event[0] for event in events), Counter(event[1] for event in events)
        left = [event for event in events if users[event[0]] >= user_core and items[event[1]] >= item_core]
        if not iterate or len(left) == len(events):
            return left
        events = left


@pytest.mark.parametrize("rule", RULES)
@settings(deadline=None, max_examples=60)
@given(events=EVENTS)
def test_splits_equal_the_naive_loop_and_never_go_back_in_time(rule: str, events: list[tuple]) -> None:
    times = sorted((user, time) for user, _, time in events)
    splits = split_of(times, rule)
    assert splits == naive_split(times, rule)
    rows = list(zip(times, splits, strict=True))
    for (user, _), split in rows:
        later = [other for (other_user, _), other in rows[rows.index(((user, _), split)) :] if other_user == user]
        assert min(later) >= split


def test_held_out_shares() -> None:
    users = [0] * 2 + [1] * 3 + [2] * 29 + [3] * 30
    splits = Counter(zip(users, split_of([(user, 1) for user in users], "ratio"), strict=True))
    counts = [tuple(splits[user, part] for part in range(3)) for user in range(4)]
    assert counts == [(2, 0, 0), (1, 1, 1), (25, 2, 2), (24, 3, 3)]


@pytest.mark.parametrize("iterate", [True, False])
def test_core_equals_the_naive_loop(iterate: bool, tmp_path: Path) -> None:
    events = list({event[:2]: event for event in reversed(random_events())}.values())
    expected = naive_core(events, 6, 10, iterate)
    assert 0 < len(expected) < len(naive_core(events, 6, 10, False)) or not iterate  # a second pass is needed
    found = prepared(Rows(tmp_path, events), tmp_path, user_core=6, item_core=10, iterate_core=iterate)
    assert sorted(row[:3] for row in found) == sorted((str(user), str(item), time) for user, item, time in expected)


@pytest.mark.parametrize("rule", RULES)
def test_relabelled_ids_change_nothing(rule: str, tmp_path: Path) -> None:
    events = random_events()
    shuffled = list(range(100))
    random.Random(1).shuffle(shuffled)
    renamed = [(f"u{shuffled[user]}", f"i{shuffled[item]}", time) for user, item, time in events]
    tables = []
    for name, rows in (("plain", events), ("renamed", renamed)):
        options = PrepareOptions(**{**LOOSE, "user_core": 4, "item_core": 4, "split": rule})
        folder = prepare(Rows(tmp_path / name, rows), options, tmp_path)
        tables.append((Manifest.load(folder).data_hash, (folder / "interactions.parquet").read_bytes()))
    assert tables[0] == tables[1]


def test_layout_on_disk(tmp_path: Path) -> None:
    events = [("b", "y", 5), ("a", "x", 9), ("b", "x", 3), ("a", "y", 1), ("a", "z", 4)]
    folder = prepare(Rows(tmp_path, events, texts={"x": "a hat"}), PrepareOptions(**LOOSE), tmp_path)
    table = pl.read_parquet(folder / "interactions.parquet")
    assert table.schema == {"user": pl.Int32, "item": pl.Int32, "timestamp": pl.Int64, "split": pl.Int8}
    assert table.rows() == [(0, 2, 3, 0), (0, 1, 5, 0), (1, 1, 1, 0), (1, 3, 4, 1), (1, 2, 9, 2)]
    items = pl.read_parquet(folder / "items.parquet")
    assert items["item"].to_list() == [0, 1, 2, 3]
    assert items["raw_id"].to_list() == ["", "y", "x", "z"]
    assert items["text"].to_list() == [None, None, "a hat", None]
    assert pl.read_parquet(folder / "users.parquet").rows() == [(0, "b"), (1, "a")]


def test_ties_keep_file_order(tmp_path: Path) -> None:
    items = ["z", "b", "y", "a", "x"]
    found = prepared(Rows(tmp_path, [("u", item, 7) for item in items] + [("u", "first", 6)]), tmp_path)
    assert [row[1] for row in found] == ["first", *items]


def test_repeats(tmp_path: Path) -> None:
    rows = Rows(tmp_path, [("u", "a", 5), ("u", "b", 4), ("u", "a", 3), ("u", "a", 3), ("v", "a", 9)])
    assert [row[1:3] for row in prepared(rows, tmp_path)] == [("a", 3), ("b", 4), ("a", 9)]
    everything = [row[1:3] for row in prepared(rows, tmp_path, repeats="all")]
    assert everything == [("a", 3), ("a", 3), ("b", 4), ("a", 5), ("a", 9)]


def test_min_rating_drops_lower_and_unrated(tmp_path: Path) -> None:
    rows = Rows(tmp_path, [("u", "a", 1, 4.0), ("u", "b", 2, 3.5), ("u", "c", 3, None), ("u", "d", 4, 5.0)])
    assert [row[1] for row in prepared(rows, tmp_path, min_rating=4)] == ["a", "d"]


def test_items_without_readable_image_or_text_are_dropped_or_kept(tmp_path: Path) -> None:
    rows = Rows(tmp_path, [("u", item, 1) for item in "abcde"], {"a": "A", "b": "B", "c": "C", "d": " "}, images=True)
    (tmp_path / "images").mkdir()
    for item, content in {"a": jpeg(), "b": jpeg()[:2000], "d": jpeg(), "e": b"not an image"}.items():
        (tmp_path / "images" / f"{item}.jpg").write_bytes(content)
    loose = {"max_bad_share": 1.0}
    assert [row[1] for row in prepared(rows, tmp_path, require_image=True, **loose)] == ["a", "d"]
    assert [row[1] for row in prepared(rows, tmp_path, require_text=True, **loose)] == ["a", "b", "c"]
    folder = prepare(rows, PrepareOptions(**LOOSE, **loose), tmp_path)
    manifest = Manifest.load(folder)
    assert manifest.rejected["unreadable image"] == {
        "count": 2,
        "first": str(tmp_path / "images" / "b.jpg"),
        "value": None,
    }
    assert manifest.missing == {"text": 2, "image": 3}
    assert pl.read_parquet(folder / "items.parquet")["image"].is_null().sum() == 4  # with the padding row


def test_a_dataset_in_the_folder_of_the_images_is_not_prepared_again(tmp_path: Path) -> None:
    rows = Rows(tmp_path / "raw", [("u", item, 1) for item in "abc"], images=True)
    images = tmp_path / "raw" / "images"
    images.mkdir(parents=True)
    (images / "a.jpg").write_bytes(jpeg())
    (images / "b.jpg").symlink_to(tmp_path / "nowhere.jpg")
    options = PrepareOptions(**{**LOOSE, "max_bad_share": 1.0})
    first = prepare(rows, options, images / "data")  # prepares, with histograms, into the folder of the images
    assert prepare(rows, options, images / "data") == first
    (images / "c.jpg").write_bytes(jpeg())
    assert prepare(rows, options, images / "data") != first


def test_a_dataset_follows_the_content_of_its_images(tmp_path: Path) -> None:
    rows = Rows(tmp_path / "raw", [("u", item, 1) for item in "abc"], images=True)
    images, far = tmp_path / "raw" / "images", tmp_path / "far"
    for folder in (images, far):
        folder.mkdir(parents=True)
    (images / "a.jpg").write_bytes(jpeg())
    (images / "linked").symlink_to(far)

    def folder() -> Path:
        return prepare(rows, PrepareOptions(**LOOSE), tmp_path / "data")

    first, content = folder(), (images / "a.jpg").read_bytes()
    os.utime(images / "a.jpg", ns=(1, 1))
    assert folder() == first  # a copy with other times is the same image
    (images / "a.jpg").write_bytes(bytes([*content[:-3], content[-3] ^ 1, *content[-2:]]))  # as long as before
    second = folder()
    (far / "b.jpg").write_bytes(jpeg())
    assert len({first, second, folder()}) == 3
    (images / "a.jpg").write_bytes(content)
    (far / "b.jpg").unlink()
    assert folder() == first


def test_items_too_rare_for_the_core_do_not_count_as_lacking_images(tmp_path: Path) -> None:
    events = [(user, item, 1) for user in range(3) for item in "ab"] + [(0, "rare", 1), (1, "bare", 1)]
    rows = Rows(tmp_path / "raw", events, images=True)
    (tmp_path / "raw" / "images").mkdir(parents=True)
    for item in ("a", "rare"):
        (tmp_path / "raw" / "images" / f"{item}.jpg").write_bytes(jpeg())
    options = PrepareOptions(**{**LOOSE, "require_image": True, "item_core": 3})
    dropped = Manifest.load(prepare(rows, options, tmp_path)).dropped
    assert (dropped["require_image"], dropped["core"]) == (4, 1)


def test_manifest_measures(tmp_path: Path) -> None:
    events = [("u", item, time) for item, time in zip("abcd", (10, 10, 20, 30), strict=True)]
    events += [("v", item, time) for item, time in zip("abc", (1, 2, 3), strict=True)]
    manifest = Manifest.load(prepare(Rows(tmp_path, events), PrepareOptions(**LOOSE, split="leave_one_out"), tmp_path))
    assert (manifest.n_users, manifest.n_items, manifest.n_interactions) == (2, 5, 7)
    assert manifest.splits == {"train": 3, "valid": 2, "test": 2}
    assert manifest.statistics["tie_share"] == pytest.approx(1 / 5)
    leaks = manifest.statistics["leak_share"]
    assert leaks == {"leave_one_out": 1 / 2, "ratio": 1 / 2, "global_time": 0}  # v's test is older than u's training
    events = [("u", "a", 1), ("u", "b", 2), *(("u", f"i{k}", 3) for k in range(6)), ("v", "a", 8), ("w", "b", 9)]
    options = PrepareOptions(**LOOSE, split="global_time")
    manifest = Manifest.load(prepare(Rows(tmp_path, events), options, tmp_path))
    assert manifest.statistics["without_history"] == {"valid": 1, "test": 1}


def test_runs_are_bit_identical_and_reused(tmp_path: Path) -> None:
    rows = Rows(tmp_path / "raw", random_events())
    first, second = (prepare(rows, PrepareOptions(**LOOSE), tmp_path / name) for name in "ab")
    names = [str(path.relative_to(first)) for path in sorted(first.rglob("*")) if path.is_file()]
    arrays = [f"sequences/{name}.npy" for name in ("item", "offsets", "split", "timestamp")]
    tables = ["interactions.parquet", "items.parquet", "users.parquet"]
    assert set(names) == {*tables, *arrays, "manifest.json", "popularity.png", "sequence_lengths.png"}
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)
    assert prepare(rows, PrepareOptions(**LOOSE), tmp_path / "a") == first
    assert rows.reads == 2


def test_changed_data_or_options_make_another_folder(tmp_path: Path) -> None:
    rows = Rows(tmp_path / "raw", random_events(), images=True)
    images = tmp_path / "raw" / "images"
    images.mkdir(parents=True)
    folders = [prepare(rows, PrepareOptions(**LOOSE), tmp_path)]
    folders.append(prepare(rows, PrepareOptions(**LOOSE, split="leave_one_out"), tmp_path))
    (images / "1.jpg").write_bytes(jpeg())
    folders.append(prepare(rows, PrepareOptions(**LOOSE), tmp_path))
    rows.events = rows.events[1:]
    folders.append(prepare(rows, PrepareOptions(**LOOSE), tmp_path))
    rows.folder = images.parent.rename(tmp_path / "moved")  # image paths are absolute: they would dangle
    folders.append(prepare(rows, PrepareOptions(**LOOSE), tmp_path))
    assert len(set(folders)) == 5


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError])
def test_a_killed_run_leaves_nothing(
    stop: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = Rows(tmp_path / "raw", random_events())

    def fail(*_: object) -> None:
        raise stop

    with monkeypatch.context() as patch:
        patch.setattr(Manifest, "save", fail)
        with pytest.raises(UserError if stop is OSError else stop):
            prepare(rows, PrepareOptions(**LOOSE), tmp_path)
    assert [path for path in (tmp_path / "rows").iterdir() if path.is_dir()] == []
    folder = prepare(rows, PrepareOptions(**LOOSE), tmp_path)
    assert Manifest.load(folder).n_interactions == len({event[:2] for event in rows.events})


FULL = """
import resource, sys
from pathlib import Path
from mmrec.data.prepare.pipeline import PrepareOptions, prepare
from mmrec.errors import UserError
from tests.data.rows import LOOSE, Rows
from tests.data.test_prepare import random_events

for most in (0, 300, 1500, 2500, 9000, 10**9):
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, -1))  # bytes of a file: more is an error, as on a full disk
    try:
        prepare(Rows(Path(sys.argv[1]) / "raw", random_events()), PrepareOptions(**LOOSE), Path(sys.argv[1]))
        print("prepared")
    except UserError as error:
        print(error)
    print(*[path.name for path in (Path(sys.argv[1]) / "rows").iterdir() if path.is_dir()])
"""


def test_a_full_disk_is_one_line_and_leaves_no_half_written_dataset(tmp_path: Path) -> None:
    Rows(tmp_path / "raw", random_events()).files()
    lines = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], cwd=Path(__file__).parents[2], capture_output=True, text=True
    ).stdout.splitlines()
    assert len(lines) == 12
    for line, left in zip(lines[:-2:2], lines[1:-2:2], strict=True):
        assert "cannot be written" in line
        assert "Is the disk full?" in line
        assert left == ""
    assert lines[-2] == "prepared"


def test_a_folder_without_a_manifest_is_named(tmp_path: Path) -> None:
    rows = Rows(tmp_path / "raw", random_events())
    folder = prepare(rows, PrepareOptions(**LOOSE), tmp_path)
    (folder / "manifest.json").unlink()
    with pytest.raises(UserError, match=r"exists without manifest\.json, so it is not a whole dataset: remove it"):
        prepare(rows, PrepareOptions(**LOOSE), tmp_path)


KILLED = """
import os, signal, sys
from pathlib import Path
from mmrec.data.prepare.manifest import Manifest
from mmrec.data.prepare.pipeline import PrepareOptions, prepare
from tests.data.rows import LOOSE, Rows
from tests.data.test_prepare import random_events

Manifest.save = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
prepare(Rows(Path(sys.argv[1]) / "raw", random_events()), PrepareOptions(**LOOSE), Path(sys.argv[1]))
"""


def test_a_killed_run_leaves_no_folder_that_a_later_run_trusts(tmp_path: Path) -> None:
    shot = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=Path(__file__).parents[2])
    assert shot.returncode == -signal.SIGKILL
    left = [path for path in (tmp_path / "rows").iterdir() if path.is_dir()]
    assert [path.suffix for path in left] == [".partial"]
    assert (left[0] / "interactions.parquet").is_file()
    folder = prepare(Rows(tmp_path / "raw", random_events()), PrepareOptions(**LOOSE), tmp_path)
    assert [path for path in (tmp_path / "rows").iterdir() if path.is_dir()] == [folder]
    whole = prepare(Rows(tmp_path / "raw", random_events()), PrepareOptions(**LOOSE), tmp_path / "elsewhere")
    assert Manifest.load(folder) == Manifest.load(whole)


def test_two_threads_prepare_once(tmp_path: Path) -> None:
    rows = Rows(tmp_path / "raw", random_events())
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(prepare, rows, PrepareOptions(**LOOSE), tmp_path) for _ in range(2)]
        assert runs[0].result() == runs[1].result()
    assert rows.reads == 1


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"min_rating": 4.0}, "min_rating"),
        ({"require_text": True}, "require_text"),
        ({"require_image": True}, "require_image"),
        ({"item_core": 99}, "item_core"),
        ({"user_core": 99}, "user_core"),
    ],
)
def test_empty_after_filtering_names_the_filter(options: dict, named: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=named):
        prepared(Rows(tmp_path, random_events()), tmp_path, **options)
    assert [path for path in (tmp_path / "rows").iterdir() if path.is_dir()] == []


def test_too_many_bad_rows_name_the_first_place(tmp_path: Path) -> None:
    rows = Rows(tmp_path, random_events(98), rejected={"broken JSON": Rejected(2, "reviews.json.gz:17")})
    with pytest.raises(UserError, match=r"2 of 100 rows.*broken JSON.*reviews\.json\.gz:17"):
        prepared(rows, tmp_path)
    assert prepared(rows, tmp_path, max_bad_share=0.02)


@pytest.mark.parametrize("name", ["", "..", "../evil"])
def test_a_name_must_be_valid_for_one_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"name must be a valid folder name"):
        prepare(Rows(tmp_path, random_events(), name=name), PrepareOptions(**LOOSE), tmp_path / "data")
    assert not (tmp_path / "evil").exists()


def test_no_rows_at_all(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no rows"):
        prepared(Rows(tmp_path, []), tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "not a prepared dataset"),
        ("{", "not valid JSON"),
        ("{}", "format version"),
        ("[]", "it must be a mapping"),
        ("\xff{}", "not a text file in UTF-8"),
        ("[" * 99_999, "not valid JSON"),
        ('{"format_version": 4, "n_users": 7}', "is damaged"),
    ],
)
def test_a_manifest_that_cannot_be_read(content: str | None, message: str, tmp_path: Path) -> None:
    if content:
        (tmp_path / "manifest.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(UserError, match=message):
        Manifest.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_users": "many"}, r"is damaged \(n_users must be a whole number\)"),
        ({"rejected": {"broken JSON": 2}}, r"is damaged \(rejected\.broken JSON must be a mapping\)"),
        ({"strange": 1}, r"is damaged \(strange is not a key here"),
        ({"timed": None}, r"is damaged \(timed must be true or false\)"),
    ],
)
def test_a_manifest_with_other_content_is_named(change: dict, message: str, tmp_path: Path) -> None:
    folder = prepare(Rows(tmp_path / "raw", random_events()), PrepareOptions(**LOOSE), tmp_path)
    content = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(content | change))
    with pytest.raises(UserError, match=message):
        Manifest.load(folder)
