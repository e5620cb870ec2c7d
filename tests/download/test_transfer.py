import asyncio
import hashlib
import random
import socket
from pathlib import Path

import httpx
import pytest

from mmrec.download.failures import Reason, TransferError
from mmrec.download.limits import Limits
from mmrec.download.part import PartFile
from mmrec.download.session import Session, follow
from mmrec.download.transfer import Expected, Fetched, fetch
from tests.download.conftest import QUICK
from tests.download.site import drip, hang, hang_up, in_turn, redirect, serve, status

CONTENT = random.Random(0).randbytes(100_000)
OTHER = random.Random(1).randbytes(100_000)


def get(url: str, folder: Path, limits: Limits, **expected: object) -> tuple[bytes, Fetched]:
    part = PartFile(folder / "file", url)

    async def run() -> Fetched:
        async with Session(limits) as session:
            return await fetch(session, part, Expected(**expected))

    fetched = asyncio.run(run())
    return part.path.read_bytes(), fetched


def failure(url: str, folder: Path, limits: Limits, **expected: object) -> TransferError:
    with pytest.raises(TransferError) as caught:
        get(url, folder, limits, **expected)
    return caught.value


def test_a_file_arrives_whole_with_its_description(site, tmp_path, limits):
    site.pages["/f"] = serve(CONTENT)
    sums = {"sha256": hashlib.sha256(CONTENT).hexdigest(), "md5": hashlib.md5(CONTENT).hexdigest()}
    content, fetched = get(site.url("/f"), tmp_path, limits, bytes=len(CONTENT), **sums)
    assert content == CONTENT
    assert (fetched.bytes, fetched.sha256, fetched.etag, fetched.attempts) == (100_000, sums["sha256"], '"v1"', 1)
    assert all(agent.startswith("mmrec/") for agent in site.agents)


@pytest.mark.parametrize(
    ("second", "asked"),
    [
        (serve(CONTENT), ["bytes=60000-"]),
        (serve(CONTENT, ranges=False), ["bytes=60000-"]),
        (serve(OTHER, etag='"v2"'), ["bytes=60000-"]),
        (serve(OTHER, etag='"v2"', heed_if_range=False), ["bytes=60000-", None]),
        (serve(OTHER[:50_000], etag='"v2"', heed_if_range=False), ["bytes=60000-", None]),
    ],
    ids=["resumes", "ignores Range", "changed", "changed, ignores If-Range", "shorter now"],
)
def test_a_broken_transfer_is_continued_or_starts_again(second, asked, site, tmp_path, limits):
    site.pages["/f"] = in_turn(serve(CONTENT, cut=60_000), second)
    content, fetched = get(site.url("/f"), tmp_path, limits)
    assert content in (CONTENT, OTHER, OTHER[:50_000])
    assert fetched.sha256 == hashlib.sha256(content).hexdigest()
    assert [wanted for _, wanted in site.requests] == [None, *asked]


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_without_a_validator_a_transfer_starts_again(etag, site, tmp_path, limits):
    site.pages["/f"] = in_turn(serve(CONTENT, etag=etag, cut=60_000), serve(OTHER, etag=etag))
    assert get(site.url("/f"), tmp_path, limits)[0] == OTHER
    assert [wanted for _, wanted in site.requests] == [None, None]


def test_the_date_replaces_a_missing_etag(site, tmp_path, limits):
    dated = {"etag": "", "Last_Modified": "Mon, 01 Jan 2024 00:00:00 GMT", "heed_if_range": False}
    site.pages["/f"] = in_turn(serve(CONTENT, cut=60_000, **dated), serve(CONTENT, **dated))
    assert get(site.url("/f"), tmp_path, limits)[0] == CONTENT
    assert site.requests[1][1] == "bytes=60000-"


def test_pieces_of_two_versions_are_detected_and_replaced(site, tmp_path, limits):
    site.pages["/f"] = in_turn(serve(CONTENT, cut=60_000), serve(OTHER, heed_if_range=False), serve(OTHER))
    sha256 = hashlib.sha256(OTHER).hexdigest()
    assert get(site.url("/f"), tmp_path, limits, sha256=sha256)[0] == OTHER


@pytest.mark.parametrize(
    ("behaviour", "reason", "requests"),
    [
        (status(404), Reason.GONE, 1),
        (status(410), Reason.GONE, 1),
        (status(403), Reason.REFUSED, 1),
        (status(500), Reason.SERVER, 3),
        (status(429), Reason.THROTTLED, 3),
        (status(429, Retry_After="3600"), Reason.THROTTLED, 1),
        (serve(CONTENT, cut=100, ranges=False), Reason.TRUNCATED, 3),
        (serve(CONTENT, length=200_000), Reason.TRUNCATED, 3),
        (serve(CONTENT, length=99_000, ranges=False), Reason.CHECKSUM, 1),
        (serve(CONTENT[:-1] + b"!"), Reason.CHECKSUM, 1),
        (serve(b"<html>", media="text/html; charset=utf-8"), Reason.WEB_PAGE, 1),
        (serve(CONTENT, Content_Encoding="br"), Reason.REFUSED, 1),
        (hang_up, Reason.CONNECTION, 3),
        (lambda handler: handler.wfile.write(b"no HTTP at all\r\n\r\n"), Reason.CONNECTION, 3),
        (redirect("/f"), Reason.REDIRECT, 6),
        (redirect("file:///etc/passwd"), Reason.REDIRECT, 1),
        (redirect("ftp://127.0.0.1/f"), Reason.REDIRECT, 1),
    ],
)
def test_each_fault_has_its_reason_and_only_transient_ones_are_retried(
    behaviour, reason, requests, site, tmp_path, limits
):
    site.pages["/f"] = behaviour
    error = failure(site.url("/f"), tmp_path, limits, sha256=hashlib.sha256(CONTENT).hexdigest())
    assert error.reason is reason
    assert error.attempts == (1 if reason is Reason.REDIRECT else requests)
    assert len(site.requests) == requests
    assert "\n" not in str(error)


@pytest.mark.parametrize("behaviour", [hang, drip(headers=True), drip(headers=False)], ids=["hangs", "headers", "body"])
def test_an_endless_response_is_given_up(behaviour, site, tmp_path, stopwatch):
    site.pages["/f"] = behaviour
    quick = Limits(**{**QUICK, "attempts": 1, "connect_seconds": 0.3})
    assert failure(site.url("/f"), tmp_path, quick).reason in (Reason.TIMEOUT, Reason.STALLED)
    assert stopwatch() < 2


def test_the_total_limit_ends_a_steady_but_endless_transfer(site, tmp_path, stopwatch):
    site.pages["/f"] = serve(bytes(1 << 22), pause=0.05)
    quick = Limits(**{**QUICK, "attempts": 1, "total_seconds": 0.4})
    assert failure(site.url("/f"), tmp_path, quick).reason is Reason.TIMEOUT
    assert stopwatch() < 2


def test_size_limits_hold_for_announced_and_for_received_bytes(site, tmp_path):
    small = Limits(**{**QUICK, "max_bytes": 50_000})
    site.pages["/announced"] = serve(CONTENT)
    assert failure(site.url("/announced"), tmp_path, small).reason is Reason.TOO_LARGE
    assert PartFile(tmp_path / "file", "").size == 0
    site.pages["/silent"] = serve(CONTENT, length=None)
    assert failure(site.url("/silent"), tmp_path, small).reason is Reason.TOO_LARGE
    assert PartFile(tmp_path / "file", "").size <= 50_000
    assert failure(site.url("/announced"), tmp_path, Limits(**QUICK), bytes=5).reason is Reason.WRONG_SIZE
    assert failure(site.url("/silent"), tmp_path, Limits(**QUICK), bytes=5).reason is Reason.TOO_LARGE


def test_retry_after_is_waited_for(site, tmp_path, limits, stopwatch):
    site.pages["/f"] = in_turn(status(503, Retry_After="1"), status(500), serve(CONTENT))
    content, fetched = get(site.url("/f"), tmp_path, limits)
    assert (content, fetched.attempts) == (CONTENT, 3)
    assert 1 <= stopwatch() < 2.5


def test_attempts_that_bring_new_bytes_do_not_count(site, tmp_path, limits):
    large = random.Random(2).randbytes(9 << 20)
    site.pages["/f"] = serve(large, cut=3 << 19)
    content, fetched = get(site.url("/f"), tmp_path, limits)
    assert content == large
    assert fetched.attempts == 6
    site.pages["/stuck"] = serve(large, cut=3 << 19, ranges=False)
    assert failure(site.url("/stuck"), tmp_path, limits).attempts == 4


def test_redirects_are_followed_and_never_back_to_http(site, tmp_path, limits):
    site.pages |= {"/f": redirect("/g"), "/g": redirect(site.url("/h")), "/h": serve(CONTENT)}
    assert get(site.url("/f"), tmp_path, limits)[0] == CONTENT
    secure = httpx.URL("https://a.example/f")
    assert str(follow(secure, "//b.example/g")) == "https://b.example/g"
    for location in ("http://a.example/f", "javascript:1", "https://b:99999/", "http://[", "\x00"):
        with pytest.raises(TransferError, match="redirect not followed"):
            follow(secure, location)


@pytest.mark.parametrize(
    "url",
    ["", "x", "ftp://a/b", "file:///etc/passwd", "http://", "http://[::1", "data:image/png;base64,AA", "http://a:x/",
     f"http://{'a' * 70}.example/", "http://.example/", "http://127.0.0.1:99999/", "http://é\u0378.example/"],
)  # fmt: skip
def test_malformed_addresses_are_refused(url, tmp_path, limits):
    assert failure(url, tmp_path, limits).reason in (Reason.NO_ADDRESS, Reason.CONNECTION)


def test_a_refused_connection(tmp_path, limits):
    with socket.socket() as taken:  # bound but not listening
        taken.bind(("127.0.0.1", 0))
        error = failure(f"http://127.0.0.1:{taken.getsockname()[1]}/", tmp_path, limits)
    assert (error.reason, error.attempts) == (Reason.CONNECTION, 3)


def test_a_damaged_note_or_another_address_starts_again(site, tmp_path, limits):
    site.pages |= {"/f": serve(CONTENT, cut=60_000), "/g": serve(OTHER)}
    failure(site.url("/f"), tmp_path, Limits(**{**QUICK, "attempts": 1}))
    assert (tmp_path / "file.part").stat().st_size == 60_000
    assert get(site.url("/g"), tmp_path, limits)[0] == OTHER
    (tmp_path / "file.part.json").write_text("{")
    assert get(site.url("/g"), tmp_path, limits)[0] == OTHER
    assert [wanted for _, wanted in site.requests] == [None, None, None]
