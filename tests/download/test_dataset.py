import gzip
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmrec.data.sources import Amazon, MovieLens
from mmrec.download import Limits, download_dataset
from mmrec.errors import UserError
from tests.download.conftest import QUICK, zipped
from tests.download.site import in_turn, serve, status

RATINGS = b"userId,movieId,rating,timestamp\n1,7,4.0,964982703\n"
MOVIES = b"movieId,title,genres\n7,Up (2009),Animation\n"
ARCHIVE = zipped(ratings_csv=RATINGS, movies_csv=MOVIES)
REVIEWS = gzip.compress(b'{"reviewerID": "A1", "asin": "B1", "unixReviewTime": 1441324800, "overall": 5.0}\n', mtime=0)
PRODUCTS = gzip.compress(b'{"asin": "B1", "title": "Hat"}\n', mtime=0)


def manifest(folder: Path) -> dict:
    return json.loads((folder / "download.json").read_text())


def left_over(root: Path) -> set[str]:
    return {path.name for path in root.iterdir()} - {"shop", ".shop.lock", "addresses.yaml"}


def archive(site, content: bytes = ARCHIVE, **more: object) -> dict[str, object]:
    return {"url": site.url("/ml.zip"), "unpack": "zip", "sha256": hashlib.sha256(content).hexdigest(), **more}


def test_an_archive_becomes_a_folder_that_the_reader_reads(site, addresses, tmp_path, limits):
    site.pages["/ml.zip"] = serve(ARCHIVE)
    folder = download_dataset(addresses(archive(site)), "SHOP", tmp_path, limits=limits)
    assert folder == tmp_path / "shop"
    assert MovieLens(str(folder)).read().interactions.collect().rows() == [("1", "7", 964982703, 4.0)]
    entry = manifest(folder)["files"]["ml.zip"]
    assert entry["holds"] == {"ratings.csv": len(RATINGS), "movies.csv": len(MOVIES)}
    assert (entry["sha256"], entry["etag"], entry["attempts"]) == (hashlib.sha256(ARCHIVE).hexdigest(), '"v1"', 1)
    assert left_over(tmp_path) == set()


def test_only_missing_files_are_fetched_again(site, addresses, tmp_path, limits):
    site.pages["/ml.zip"] = serve(ARCHIVE)
    for _ in range(2):
        folder = download_dataset(addresses(archive(site)), "shop", tmp_path, limits=limits)
    assert len(site.requests) == 1
    (folder / "posters").mkdir()
    (folder / "movies.csv").write_bytes(b"cut")
    download_dataset(addresses(archive(site)), "shop", tmp_path, limits=limits)
    assert (folder / "movies.csv").read_bytes() == MOVIES
    assert (folder / "posters").is_dir()
    newer = zipped(ratings_csv=RATINGS * 2, movies_csv=MOVIES)
    site.pages["/ml.zip"] = serve(newer, etag='"v2"')
    download_dataset(addresses(archive(site, newer)), "shop", tmp_path, limits=limits)
    assert (folder / "ratings.csv").read_bytes() == RATINGS * 2


def test_a_category_in_any_letter_case_gets_the_spelling_of_the_release(site, addresses, tmp_path, limits):
    site.pages |= {"/meta_Toys_A.json.gz": serve(PRODUCTS), "/Toys_A.json.gz": serve(REVIEWS, Content_Encoding="gzip")}
    files = [{"url": site.url("/meta_{category}.json.gz")}, {"url": site.url("/{category}.json.gz")}]
    found = addresses(*files, categories=["Toys_A", "Other"])
    folder = download_dataset(found, "shop", tmp_path, "TOYS_a", limits)
    raw = Amazon(str(folder), "toys_A").read()
    assert raw.items["title"].to_list() == ["Hat"]
    assert raw.interactions.collect().height == 1
    for category, words in ((None, "needs --category, one of Toys_A, Other"), ("Toys", "did you mean Toys_A?")):
        with pytest.raises(UserError, match=words):
            download_dataset(found, "shop", tmp_path, category, limits)
    with pytest.raises(UserError, match="has no categories"):
        download_dataset(addresses(archive(site)), "shop", tmp_path, "Toys_A", limits)


def test_a_file_that_fails_is_named_and_the_others_are_kept(site, addresses, tmp_path, limits):
    site.pages["/meta_T.json.gz"] = serve(PRODUCTS)
    files = [{"url": site.url("/meta_{category}.json.gz")}, {"url": site.url("/{category}.json.gz")}]
    found = addresses(*files, categories=["T"])
    with pytest.raises(UserError, match=r"/T\.json\.gz: gone \(HTTP 404\).*shop\.files\.1 in .*addresses\.yaml$"):
        download_dataset(found, "shop", tmp_path, "t", limits)
    assert manifest(tmp_path / "shop")["failed"]["T.json.gz"][0]["reason"] == "gone"
    site.pages["/T.json.gz"] = serve(REVIEWS)
    folder = download_dataset(found, "shop", tmp_path, "t", limits)
    assert manifest(folder)["failed"] == {}
    assert [path for path, _ in site.requests].count("/meta_T.json.gz") == 1


def test_mirrors_are_tried_in_turn(site, addresses, tmp_path, limits):
    site.pages |= {"/ml.zip": status(404), "/web": serve(b"<html>", media="text/html"), "/good": serve(ARCHIVE)}
    found = addresses(archive(site, mirrors=[site.url("/web"), site.url("/good")]))
    folder = download_dataset(found, "shop", tmp_path, limits=limits)
    assert manifest(folder)["files"]["ml.zip"]["url"] == site.url("/good")


@pytest.mark.parametrize(
    ("name", "content", "more", "words"),
    [
        ("ml.zip", b"<p>sorry</p>", {}, "not a sound archive .it does not begin as a .zip"),
        ("ml.zip", ARCHIVE[:-40], {}, "not a sound archive"),
        ("ml.zip", zipped(a=bytes(10 << 20)), {}, "unpacks to more than 100 times"),
        ("r.json.gz", REVIEWS[:-9], {"length": None}, "not a sound archive"),
    ],
    ids=["a page", "cut off", "a bomb", "a stream cut off"],
)
def test_a_file_that_is_not_an_archive_never_reaches_the_folder(
    name, content, more, words, site, addresses, tmp_path, limits
):
    site.pages[f"/{name}"] = in_turn(serve(content, **more), serve(ARCHIVE if name == "ml.zip" else REVIEWS))
    found = addresses({"url": site.url(f"/{name}"), **({"unpack": "zip"} if name == "ml.zip" else {})})
    with pytest.raises(UserError, match=words):
        download_dataset(found, "shop", tmp_path, limits=limits)
    assert not (tmp_path / "shop").exists()
    assert manifest(tmp_path / ".shop.partial")["failed"][name]
    download_dataset(found, "shop", tmp_path, limits=limits)
    assert left_over(tmp_path) == set()


def test_a_file_of_the_users_own_is_not_overwritten(site, addresses, tmp_path, limits):
    site.pages["/ml.zip"] = serve(ARCHIVE)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "ratings.csv").write_text("mine")
    for _ in range(2):
        with pytest.raises(UserError, match=r"ratings\.csv is already there"):
            download_dataset(addresses(archive(site)), "shop", tmp_path, limits=limits)
    assert [path.name for path in (tmp_path / "shop").iterdir()] == ["ratings.csv"]
    assert (tmp_path / "shop" / "ratings.csv").read_text() == "mine"
    assert len(site.requests) == 1  # the archive is kept for when the file has been moved
    (tmp_path / "shop" / "ratings.csv").write_bytes(RATINGS)
    download_dataset(addresses(archive(site)), "shop", tmp_path, limits=limits)
    assert len(site.requests) == 1


def start(folder: Path) -> subprocess.Popen:
    # Whoever runs the tests in the background has SIGINT ignored, and a child inherits that.
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from pathlib import Path; from mmrec.download import *; folder = Path(sys.argv[1]); "
        f"download_dataset(load_addresses(folder / 'addresses.yaml'), 'shop', folder, limits=Limits(**{QUICK}))"
    )
    return subprocess.Popen([sys.executable, "-c", code, str(folder)], stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_run_is_continued(end, site, addresses, tmp_path, limits):
    noise = random.Random(3).randbytes(1 << 20)
    content = zipped(ratings_csv=RATINGS, movies_csv=MOVIES, noise_bin=noise)
    site.pages["/ml.zip"] = serve(content, pause=0.05)
    found = addresses(archive(site, content))
    process = start(tmp_path)
    part = tmp_path / ".shop.partial" / "ml.zip.part"
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and not (part.exists() and part.stat().st_size > 100_000):
        time.sleep(0.01)
    process.send_signal(end)
    process.communicate(timeout=5)
    assert not (tmp_path / "shop").exists()
    size = part.stat().st_size
    assert 0 < size < len(content)
    site.pages["/ml.zip"] = serve(content)
    folder = download_dataset(found, "shop", tmp_path, limits=limits)
    assert site.requests[1:] == [("/ml.zip", f"bytes={size}-")]
    assert (folder / "noise.bin").read_bytes() == noise


def test_two_processes_fetch_once(site, addresses, tmp_path):
    content = zipped(ratings_csv=RATINGS, movies_csv=MOVIES, noise_bin=random.Random(4).randbytes(1 << 18))
    site.pages["/ml.zip"] = serve(content, pause=0.05)
    addresses(archive(site, content))
    processes = [start(tmp_path) for _ in range(2)]
    errors = [process.communicate(timeout=20)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert len(site.requests) == 1
    assert sum("waiting" in error for error in errors) == 1


def test_a_full_disk_leaves_no_half_dataset(site, addresses, tmp_path, limits, monkeypatch):
    site.pages["/ml.zip"] = serve(ARCHIVE)

    def full(source: object, target: object) -> None:
        raise OSError(28, os.strerror(28), str(target))

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(OSError, match="No space left"):
        download_dataset(addresses(archive(site)), "shop", tmp_path, limits=limits)
    assert not (tmp_path / "shop").exists()
    monkeypatch.undo()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    download_dataset(addresses(archive(site)), "shop", tmp_path, limits=Limits(**QUICK))
    assert len(site.requests) == 1
