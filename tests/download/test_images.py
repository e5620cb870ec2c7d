import asyncio
import json
import os
from pathlib import Path

import polars as pl
import pytest

from mmrec.data.sources.readers.events import find_images
from mmrec.download import ImageLimits, ImageSummary, download_images, images
from tests.data.rows import jpeg
from tests.download.conftest import QUICK, image_bytes, running
from tests.download.site import hang_up, in_turn, serve, slowly, status


def run(site, folder: Path, limits: ImageLimits, *rows: tuple[str | None, str | None], **more: bool) -> ImageSummary:
    """Download rows of (id, path on the site)."""
    table = [(name, site.url(path) if path and path[0] == "/" else path) for name, path in rows]
    return download_images(pl.DataFrame(table, schema=["id", "url"], orient="row"), folder, limits, **more)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def asked(site) -> list[str]:
    return [path for path, _ in site.requests]


def test_images_are_named_by_id_and_content_and_found_by_the_readers(site, tmp_path, image_limits):
    kinds = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif"}
    site.pages |= {f"/{kind}.jpg": serve(image_bytes(kind), media="image/jpeg") for kind in kinds}
    folder = tmp_path / "posters"
    summary = run(site, folder, image_limits, *((kind, f"/{kind}.jpg") for kind in kinds))
    assert (summary.total, summary.fetched, summary.failed) == (4, 4, {})
    assert names(folder) == sorted(kind + suffix for kind, suffix in kinds.items())
    assert {"JPEG", "PNG", "WEBP"} <= set(find_images(folder))
    entry = json.loads(summary.manifest.read_text())["files"]["PNG"]
    assert entry["holds"] == {"PNG.png": len(image_bytes("PNG"))}
    assert summary.manifest == tmp_path / "posters.download.json"


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (status(404), "gone"),
        (status(500), "server error"),
        (serve(b"<html>no", media="text/html"), "web page instead of the file"),
        (serve(b"<html>no", media="image/jpeg"), "not an image"),
        (serve(b"", media="image/jpeg"), "not an image"),
        (serve(jpeg()[:-500], media="image/jpeg"), "not an image"),
        (serve(image_bytes("TIFF")), "not an image"),
        (serve(image_bytes("GIF", (1, 1))), "placeholder image"),
        (serve(image_bytes("PNG", (200, 200))), "too large"),
        (serve(image_bytes("PNG", (20_000, 20_000))), "too large"),
        (serve(image_bytes() + bytes(30_000)), "too large"),
        (hang_up, "no connection"),
    ],
)
def test_each_fault_is_counted_and_leaves_no_file(behaviour, reason, site, tmp_path):
    limits = ImageLimits(**{**QUICK, "max_bytes": 20_000, "max_pixels": 39_999}) if reason == "too large" else None
    site.pages["/i"] = behaviour
    summary = run(site, tmp_path / "i", limits or ImageLimits(**QUICK), ("a", "/i"))
    assert summary.failed == {reason: 1}
    assert summary.failed_share == 1
    assert names(tmp_path / "i") == []


def test_later_addresses_of_an_id_are_fallbacks(site, tmp_path, image_limits):
    site.pages |= {"/good": serve(image_bytes()), "/never": serve(image_bytes())}
    rows = [("a", "/gone"), ("b", None), ("a", "/good"), ("a", "/never"), ("b", "no address"), ("c", None)]
    summary = run(site, tmp_path / "i", image_limits, *rows)
    assert names(tmp_path / "i") == ["a.jpg"]
    assert asked(site) == ["/gone", "/good"]
    assert summary.failed == {"no usable address": 2}


@pytest.mark.parametrize(
    "name",
    ["../x", "a/b", "/etc/x", "..", ".", "", "a\0b", "a\\b", "C:x", ".hidden", "x" * 201, "ü" * 101, "con", "NUL.x",
     "a\n", " a", "a.", None],
)  # fmt: skip
def test_ids_that_cannot_be_file_names_are_refused_and_listed(name, site, tmp_path, image_limits):
    site.pages["/i"] = serve(image_bytes())
    summary = run(site, tmp_path / "i", image_limits, (name, "/i"), ("Ünïcode & ‘x’ (1)", "/i"), ("x" * 200, "/i"))
    assert summary.unsafe == (name or "",)
    assert summary.failed == {"id unsafe as a file name": 1}
    assert names(tmp_path / "i") == sorted(["Ünïcode & ‘x’ (1).jpg", "x" * 200 + ".jpg"])
    assert len(asked(site)) == 2


def test_a_second_run_requests_failed_images_and_not_those_that_are_gone(site, tmp_path, image_limits):
    site.pages |= {
        "/good": serve(image_bytes()),
        "/bad": in_turn(*[status(500)] * 3, serve(image_bytes())),
        "/gone": status(404),
    }
    rows = [("good", "/good"), ("bad", "/bad"), ("gone", "/gone"), ("mine", "/good")]
    (tmp_path / "i").mkdir()
    (tmp_path / "i" / "mine.jpeg").write_bytes(b"as it is")
    first = run(site, tmp_path / "i", image_limits, *rows)
    assert (first.fetched, first.present, first.failed) == (1, 1, {"server error": 1, "gone": 1})
    site.requests.clear()
    second = run(site, tmp_path / "i", image_limits, *rows)
    assert asked(site) == ["/bad"]
    assert (second.fetched, second.present, second.failed) == (1, 2, {"gone": 1})
    site.pages["/gone"] = serve(image_bytes())
    third = run(site, tmp_path / "i", image_limits, *rows, retry_failed=True)
    assert (third.fetched, third.failed) == (1, {})
    assert json.loads(third.manifest.read_text())["failed"] == {}


def test_connections_and_pauses_are_bounded_for_each_host(site, tmp_path, stopwatch):
    site.pages["/i"] = slowly(serve(image_bytes()))
    limits = ImageLimits(**{**QUICK, "per_host": 3, "delay_seconds": 0.06})
    summary = run(site, tmp_path / "i", limits, *((str(n), "/i") for n in range(20)))
    assert summary.fetched == 20
    assert 1 < site.most_open <= 3
    assert stopwatch() > 19 * 0.06  # without pauses 7 rounds of 0.1 seconds


def test_the_bound_holds_for_a_host_that_many_fall_back_to(site, tmp_path):
    site.pages["/i"] = slowly(serve(image_bytes()))
    with running() as first, running() as second:
        rows = [(f"{n}{k}", part.url("/gone")) for n in range(5) for k, part in enumerate((first, second))]
        rows += [(name, site.url("/i")) for name, _ in rows]
        limits = ImageLimits(**{**QUICK, "per_host": 1, "delay_seconds": 0})
        assert run(site, tmp_path / "i", limits, *rows).fetched == 10
    assert site.most_open == 1


def test_a_host_that_asks_for_a_pause_gets_it(site, tmp_path, image_limits, stopwatch):
    site.pages["/i"] = in_turn(status(429, Retry_After="1"), serve(image_bytes()))
    summary = run(site, tmp_path / "i", image_limits, *((str(n), "/i") for n in range(5)))
    assert summary.fetched == 5
    assert stopwatch() > 1
    site.pages["/j"] = status(429, Retry_After="3600")
    site.requests.clear()
    summary = run(site, tmp_path / "j", image_limits, *((str(n), "/j") for n in range(50)))
    assert summary.failed["host given up"] >= 48
    assert len(asked(site)) <= image_limits.per_host


def test_a_dead_host_is_given_up_and_others_continue(site, tmp_path, image_limits):
    site.pages["/good"] = serve(image_bytes())
    dead = [(f"d{n}", f"http://127.0.0.1:9/{n}") for n in range(60)]
    summary = run(site, tmp_path / "i", image_limits, *dead, ("a", "/good"), ("d0", "/good"))
    assert summary.fetched == 2
    assert summary.failed["host given up"] >= 60 - image_limits.lost_after - image_limits.per_host


def test_an_interrupted_run_keeps_images_and_failures(site, tmp_path, image_limits, monkeypatch):
    site.pages |= {"/gone": status(404), "/good": serve(image_bytes())}
    calls = iter(range(10))

    def replace(source: str, target: object) -> None:
        if "i" in Path(str(target)).parent.name and next(calls) == 2:
            raise OSError(28, os.strerror(28), str(target))
        os.rename(source, target)

    monkeypatch.setattr(images.os, "replace", replace)
    rows = [("g", "/gone"), *((str(n), "/good") for n in range(6))]
    with pytest.raises(OSError, match="No space left"):
        run(site, tmp_path / "i", image_limits, *rows)
    assert set(names(tmp_path / "i")) < {f"{n}.jpg" for n in range(6)}
    content = json.loads((tmp_path / "i.download.json").read_text())
    assert content["failed"]["g"][0]["reason"] == "gone"
    assert {f"{name}.jpg" for name in content["files"]} == set(names(tmp_path / "i"))


def test_images_are_fetched_inside_a_running_event_loop(site, tmp_path, image_limits):
    site.pages["/i"] = serve(image_bytes())

    async def cell() -> ImageSummary:
        return run(site, tmp_path / "i", image_limits, ("a", "/i"))

    assert asyncio.run(cell()).fetched == 1
