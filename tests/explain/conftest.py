import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from mmrec.explain import Knowledge, Recommendation

GOOD = {"reasons": ["s1"], "tone": "plain"}
"""A plan that can be written whatever the statements are."""
SCHEMA = {"type": "object", "required": ["reasons", "tone"]}
SENSES = {"tiny": ["completion"], "seeing": ["completion", "vision"]}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    picture = tmp_path / "blue.png"
    Image.new("RGB", (64, 48), (40, 80, 190)).save(picture)
    rows = [
        (None, None, None, None, None),
        ("m1", "Night Train (1994)", "a detective rides a train at night", None, {"genre": ["Crime"], "year": 1994}),
        ("m2", "Quiet Harbour", "a harbour and a boat", None, {"genre": ["Drama"], "director": "Ana Lopez"}),
        ("m3", "Long Shadow, The (1997)", "a detective, a detective and a harbour", str(picture),
         {"genre": ["Crime", "Drama"], "director": "Ana Lopez", "year": 1997, "price": "$1,299.50"}),
        ("m4", None, None, str(tmp_path / "gone.png"), None),
    ]  # fmt: skip
    raw_id, title, text, image, attributes = zip(*rows, strict=True)
    items = pl.DataFrame(
        {
            "item": range(5),
            "raw_id": raw_id,
            "title": title,
            "text": text,
            "image": image,
            "attributes": [json.dumps(a) if a else None for a in attributes],
        },
        schema_overrides={"item": pl.Int32},
    )
    items.write_parquet(tmp_path / "items.parquet")
    return tmp_path


@pytest.fixture
def knowledge(dataset: Path) -> Knowledge:
    return Knowledge.load(dataset)


@pytest.fixture
def recommendation() -> Recommendation:
    return Recommendation("ann", 3, 1, 0.83, [1, 2], [2], {"alpha": 0.6})


class Ollama(ThreadingHTTPServer):
    """Speaks as much of Ollama's protocol as a run needs; `chat` is what it does with a question."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.chat: Callable[[Handler], None] = says(json.dumps(GOOD))
        self.questions: list[dict[str, object]] = []
        self.stop = threading.Event()
        self.host = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Ollama

    def do_GET(self) -> None:
        models = [{"model": f"{name}:latest", "digest": f"d-{name}"} for name in SENSES]
        known = self.path == "/api/tags"
        self.reply({"models": models} if known else {"error": "not found"}, 200 if known else 404)

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/api/show":
            self.reply({"capabilities": SENSES[question["model"]], "model_info": {}})
            return
        self.server.questions.append(question)
        self.server.chat(self)

    def reply(self, body: object, status: int = 200, cut: int = 0) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) - cut])

    def log_message(self, *args: object) -> None:
        pass


def says(content: str, done_reason: str = "stop", status: int = 200, cut: int = 0) -> Callable[[Handler], None]:
    message = {"role": "assistant", "content": content}
    body = {"model": "tiny", "message": message, "done": True, "done_reason": done_reason}
    return lambda handler: handler.reply(body if status == 200 else {"error": "out of memory"}, status, cut)


def hangs(handler: Handler) -> None:
    handler.server.stop.wait(20)


def trickles(handler: Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while not handler.server.stop.wait(0.05):
        handler.wfile.write(b" ")


@pytest.fixture
def ollama() -> Iterator[Ollama]:
    server = Ollama()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.stop.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def stopwatch() -> Callable[[], float]:
    start = time.monotonic()
    return lambda: time.monotonic() - start
