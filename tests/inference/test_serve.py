"""The server: the same lists as the model, clear refusals, an exchange of the bundle without a lost request."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

import mmrec
from mmrec.data.datamodule import RecDataModule
from mmrec.inference.bundle import export as exporting
from mmrec.inference.bundle.export import ExportOptions, export_model
from mmrec.inference.serve.app import build_app
from mmrec.inference.serve.engine import Busy, Engine
from mmrec.inference.serve.options import ServeOptions
from tests.contracts.conftest import build
from tests.inference.bundles import write_bundle
from tests.report.browser import CHROMIUM, Page

LOCAL = "http://127.0.0.1"


@pytest.fixture(scope="module")
def bundle(toy: RecDataModule, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with images; its model is not trained."""
    folder = tmp_path_factory.mktemp("served") / "bundle"
    return write_bundle("mm_racl_kal", toy, folder, ExportOptions(images=True))


@pytest.fixture(scope="module")
def shop(bundle: Path) -> mmrec.TrainedRecommender:
    return mmrec.load(bundle)


@pytest.fixture(scope="module")
def client(bundle: Path) -> Iterator[TestClient]:
    with TestClient(build_app(ServeOptions(model=str(bundle), max_body=100_000)), base_url=LOCAL) as client:
        yield client


def histories(shop: mmrec.TrainedRecommender) -> list[list[str]]:
    raw, view = shop.catalog.item_table["raw_id"].to_list(), shop.catalog.train
    return [[raw[i] for i in view.items[a:b].tolist()] for a, b in pairwise(view.offsets.tolist())]


def test_http_gives_the_lists_of_python(client: TestClient, shop: mmrec.TrainedRecommender) -> None:
    for history in histories(shop)[:10]:
        answer = client.post("/recommend", json={"history": [*history, "unknown"], "k": 7}).json()
        assert answer["unknown"] == 1
        assert [(one["item"], one["title"]) for one in answer["items"]] == [
            (one.item, one.title) for one in shop.recommend(history, k=7)
        ]
    best = [one["item"] for one in answer["items"]]
    ranked = client.post("/rank", json={"history": history, "items": best[::-1]}).json()
    assert [one["item"] for one in ranked["items"]] == best
    chosen = client.post("/recommend", json={"history": history, "candidates": best[2:], "exclude": best[3:4]}).json()
    assert [one["item"] for one in chosen["items"]] == [best[2], *best[4:]]
    similar = client.post("/similar", json={"item": best[0], "k": 3}).json()
    assert [one["item"] for one in similar["items"]] == [one.item for one in shop.similar(best[0], k=3)]
    assert client.post("/explain", json={"history": history, "item": best[0]}).json()["text"] == (
        shop.explain(history, best[0]).text
    )
    assert client.post("/recommend", json={"history": []}).json()["popular"] is True


@pytest.mark.parametrize(
    ("where", "brands", "kinds"),
    [
        ({"brand": "Miro"}, {"Miro"}, {"Hat", "Shirt", "Shoes", "Trousers"}),
        ({"categories": "Hat", "brand": ["Miro", "Halcyon"]}, {"Miro", "Halcyon"}, {"Hat"}),
        ({"categories": ["Hat", "Shoes"], "brand": "Miro"}, {"Miro"}, {"Hat", "Shoes"}),
        ({"categories": "Clothing, Hat", "brand": "Miro"}, {"Miro"}, {"Hat"}),
        ({"categories": "Clothing", "brand": "nobody"}, set(), set()),
    ],
)
def test_where_chooses_the_items_with_these_values(
    where: dict[str, object], brands: set[str], kinds: set[str], client: TestClient, shop: mmrec.TrainedRecommender
) -> None:
    answer = client.post("/recommend", json={"history": [], "k": 1000, "where": where}).json()
    table = shop.catalog.item_table
    facts = {raw: json.loads(text or "{}") for raw, text in zip(table["raw_id"], table["attributes"], strict=True)}
    fitting = {
        raw for raw, one in facts.items() if one.get("brand") in brands and kinds & set(one.get("categories", ()))
    }
    assert {one["item"] for one in answer["items"]} == fitting
    assert bool(fitting) == bool(brands)


def test_items_are_described_searched_and_shown(client: TestClient, shop: mmrec.TrainedRecommender) -> None:
    found = client.get("/items", params={"limit": 3}).json()
    assert found["found"] == len(shop.items)
    first = found["items"][0]
    assert client.get(f"/items/{first['item']}").json() == first
    words = first["title"].split()[:2]
    sought = client.get("/items", params={"search": " ".join(words), "limit": 200}).json()["items"]
    assert first["item"] in {one["item"] for one in sought}
    assert all(word.lower() in one["title"].lower() for one in sought for word in words)
    with_image = next(one for one in client.get("/items", params={"limit": 50}).json()["items"] if one["image"])
    image = client.get(f"/items/{with_image['item']}/image")
    assert image.headers["content-type"] == "image/jpeg"
    assert image.content[:2] == b"\xff\xd8"


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "words"),
    [
        ("POST", "/recommend", b"{", 422, "the body is not valid JSON"),
        ("POST", "/recommend", b'{"history": "B1"}', 422, "history: input should be a valid list"),
        ("POST", "/recommend", b'{"history": [1.5]}', 422, "history.0: input should be a valid string"),
        (
            "POST",
            "/recommend",
            b'{"hist": ["a"]}',
            422,
            "history: field required; hist: extra inputs are not permitted",
        ),
        ("POST", "/recommend", b'{"history": [null, null, {}, [], true]}', 422, "; 2 more mistakes"),
        ("POST", "/recommend", b'{"history": [], "k": 0}', 422, "k: input should be greater than or equal to 1"),
        ("POST", "/recommend", b'{"history": [], "colour": 1}', 422, "colour: extra inputs are not permitted"),
        ("POST", "/recommend", b'{"history": ["a"], "times": [1, 2]}', 400, "times must be one time per item"),
        ("POST", "/recommend", b'{"history": [], "where": {"x": "y"}}', 400, "the items have no attribute 'x'"),
        ("POST", "/recommend", b'{"history": [], "user": "nobody"}', 400, "user 'nobody' is not among"),
        ("POST", "/recommend", b'{"history": []}' + b" " * 100_000, 413, "the body is larger than 100,000 bytes"),
        ("POST", "/recommend", b"\xff" * 9, 422, "the body is not valid JSON"),
        ("POST", "/recommend", b"[" * 5000, 422, "the body is not valid JSON"),
        ("POST", "/similar", b'{"item": "none"}', 404, "item: 'none' is not in the catalogue"),
        ("GET", "/recommend", b"", 405, "the method GET is not allowed"),
        ("GET", "/nowhere", b"", 404, "there is no such path"),
        ("GET", "/items/none", b"", 404, "the item 'none' is not in the catalogue"),
        ("GET", "/items/..%2f..%2fmanifest.json", b"", 404, "is not in the catalogue"),
        ("GET", "/items/..%2f..%2f..%2fetc%2fpasswd/image", b"", 404, "has no image here"),
        ("GET", "/items?limit=0", b"", 422, "limit: input should be greater"),
    ],
)
def test_a_wrong_request_gets_one_sentence(
    client: TestClient, method: str, path: str, content: bytes, status: int, words: str
) -> None:
    answer = client.request(method, path, content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, list(answer.json())) == (status, ["detail"])
    assert words in answer.json()["detail"]
    assert "\n" not in answer.json()["detail"]


def test_a_body_without_a_length_is_limited_too(client: TestClient) -> None:
    answer = client.post("/recommend", content=iter([b" " * 60_000] * 3), headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["detail"]) == (413, "the body is larger than 100,000 bytes")


def test_other_hosts_and_missing_tokens_are_refused(bundle: Path) -> None:
    with TestClient(build_app(ServeOptions(model=str(bundle), token="secret")), base_url=LOCAL) as client:
        assert client.get("/health").status_code == 200
        assert client.get("/items").status_code == 401
        assert client.get("/items", headers={"authorization": "Bearer secreT"}).status_code == 401
        assert client.get("/items", headers={"authorization": "Bearer secret"}).status_code == 200
        assert client.get("/health", headers={"host": "elsewhere.example"}).status_code == 421


def test_what_takes_too_long_or_waits_too_long_is_given_up(bundle: Path) -> None:
    with TestClient(build_app(ServeOptions(model=str(bundle), timeout=1e-9)), base_url=LOCAL) as client:
        answer = client.post("/rank", json={"history": [], "items": ["none"]})
        assert (answer.status_code, answer.json()["detail"]) == (504, "the answer took too long")

    async def ask() -> None:
        engine = Engine(bundle, batch=8, waiting=1)
        shop = engine.served.shop
        first, second = (asyncio.ensure_future(engine.ask(shop, shop.ask([], k=1))) for _ in range(2))
        with pytest.raises(Busy):
            await second
        assert len(await first) == 1
        engine.close()

    asyncio.run(ask())


def test_pages_load_nothing_from_elsewhere_and_requests_are_counted(client: TestClient) -> None:
    for path in ("/", "/docs"):
        answer = client.get(path)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert not re.search(r"https?://|innerHTML|document\.write", answer.text)
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/recommend", "/rank", "/similar", "/explain", "/items"} <= paths.keys()
    text = client.get("/metrics").text
    assert re.search(r'mmrec_requests_total\{route="/",status="200"\} [1-9]', text)
    assert 'mmrec_request_seconds_bucket{le="0.006",route="/docs"}' in text


def test_questions_that_wait_are_answered_together(bundle: Path, shop: mmrec.TrainedRecommender) -> None:
    async def ask() -> list[list[mmrec.Recommendation]]:
        engine = Engine(bundle, batch=8, waiting=100)
        sizes: list[int] = []
        own = engine.served.shop
        answer = own.answer
        own.answer = lambda questions: (sizes.append(len(questions)), answer(questions))[1]  # type: ignore[method-assign]
        lists = await asyncio.gather(*(engine.ask(own, own.ask(one, k=3 + i % 4)) for i, one in enumerate(some)))
        engine.close()
        assert sum(sizes) == len(some)
        assert max(sizes) == 8
        return lists

    some = histories(shop)[:40]
    for number, made in enumerate(asyncio.run(ask())):
        assert [one.item for one in made] == [one.item for one in shop.recommend(some[number], k=3 + number % 4)]


@pytest.mark.slow
def test_a_process_swaps_drains_and_ends(toy: RecDataModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "write_graphs", lambda *_: {})
    folder = tmp_path / "bundle"
    export_model(build("sasrec", toy).eval(), toy, folder)
    command = "from mmrec.cli.main import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", command, "serve", str(folder), "--port", "0", "--watch", "0.2"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    address = re.search(r"http://[\d.:]+", process.stdout.readline())
    assert address is not None
    statuses: list[int] = []
    stop = threading.Event()

    def load() -> None:
        with httpx.Client(base_url=address[0]) as client:
            while not stop.is_set():
                statuses.append(client.post("/recommend", json={"history": ["unknown"]}).status_code)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    with httpx.Client(base_url=address[0]) as client:
        assert client.get("/health").json()["model"] == "SASRec"
        export_model(build("gru4rec", toy).eval(), toy, folder)
        deadline = time.monotonic() + 60
        while client.get("/health").json()["model"] != "GRU4Rec":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        (folder / "weights.safetensors").write_bytes(b"damaged")
        os.utime(folder / "manifest.json")
        time.sleep(3)
        assert client.get("/health").json()["model"] == "GRU4Rec"
        assert 'mmrec_swaps_total{result="failed"} 1.0' in client.get("/metrics").text
    stop.set()
    for thread in threads:
        thread.join()
    assert len(statuses) > 50
    assert set(statuses) == {200}
    process.send_signal(signal.SIGTERM)
    _, words = process.communicate(timeout=30)
    assert process.returncode == 143
    assert "weights.safetensors: its content does not match" in words
    assert "Traceback" not in words


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium")
def test_the_page_recommends_and_explains_in_a_browser(bundle: Path, tmp_path: Path) -> None:
    command = "from mmrec.cli.main import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", command, "serve", str(bundle), "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        address = re.search(r"http://[\d.:]+", process.stdout.readline())
        assert address is not None
        with Page(f"{address[0]}/", tmp_path / "profile") as page:
            for width, dark in ((1300, False), (390, True)):
                page.show(width, dark=dark)
                _until(page, "document.querySelectorAll('#items .pick').length > 5")
                page.run("document.querySelectorAll('#items .pick')[1].click()")
                _until(page, "document.querySelectorAll('.why').length > 5")
                page.run("document.querySelector('.why').click()")
                _until(page, "document.querySelector('.reason')?.textContent.length > 10")
                assert page.run("document.documentElement.scrollWidth <= innerWidth")
            assert page.errors == []
            assert all(request.startswith((address[0], "data:")) for request in page.requests)
    finally:
        process.terminate()
        process.wait(30)


def _until(page: Page, expression: str) -> None:
    deadline = time.monotonic() + 30
    while not page.run(expression):
        assert time.monotonic() < deadline, expression
        time.sleep(0.05)


def test_the_options_survive_the_way_to_a_worker() -> None:
    options = ServeOptions(model="bundle", token="secret", workers=3)
    assert ServeOptions.from_json(json.dumps(json.loads(options.to_json()))) == options


@pytest.mark.slow
def test_replicas_answer_on_a_local_ray_cluster(
    bundle: Path, shop: mmrec.TrainedRecommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = pytest.importorskip("ray")
    serve = pytest.importorskip("ray.serve")
    from mmrec.inference.serve.ray import build as replicas

    monkeypatch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    monkeypatch.setenv("RAY_worker_niceness", "0")  # 15 by default, which a busy machine starves
    for name in ("READY", "HEALTH"):
        monkeypatch.setenv(f"RAY_SERVE_PROXY_{name}_CHECK_TIMEOUT_S", "60")
    monkeypatch.setenv("PYTHONPATH", str(Path(mmrec.__file__).parents[1]))
    ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False)
    try:
        serve.start(http_options={"host": "127.0.0.1", "port": 8437})
        serve.run(replicas({"model": str(bundle), "replicas": "2"}), route_prefix="/")
        with httpx.Client(base_url="http://127.0.0.1:8437") as client:
            for history in histories(shop)[:8]:
                answer = client.post("/recommend", json={"history": history}, timeout=60)
                assert [one["item"] for one in answer.json()["items"]] == [one.item for one in shop.recommend(history)]
            assert client.post("/similar", json={"item": "none"}).status_code == 404
    finally:
        serve.shutdown()
        ray.shutdown()
