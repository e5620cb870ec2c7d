"""A web server on this machine that serves, and does everything to a client that servers do."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Behaviour = Callable[["Handler"], None]


class Site(ThreadingHTTPServer):
    """`pages` holds the behaviour of each path; `requests` holds (path, Range header) in the order of arrival."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages: dict[str, Behaviour] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.agents: set[str] = set()
        self.open = self.most_open = 0
        self.lock = threading.Lock()
        self.stop = threading.Event()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients hang up here all the time."""


class Handler(BaseHTTPRequestHandler):
    server: Site
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        site = self.server
        with site.lock:
            site.requests.append((self.path, self.headers["Range"]))
            site.agents.add(self.headers["User-Agent"])
            site.open += 1
            site.most_open = max(site.most_open, site.open)
        try:
            site.pages.get(self.path, status(404))(self)
        finally:
            with site.lock:
                site.open -= 1

    def head(self, code: int, length: int | None, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if length is None:
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


def serve(
    content: bytes,
    etag: str = '"v1"',
    ranges: bool = True,
    heed_if_range: bool = True,
    cut: int | None = None,
    length: int | None = -1,
    media: str = "application/octet-stream",
    pause: float = 0,
    **more: str,
) -> Behaviour:
    """Serve bytes.

    Args:
        content: bytes of the file.
        etag: sent, and compared with If-Range if `heed_if_range`.
        ranges: honour Range.
        heed_if_range: false serves a part of whatever file there is now.
        cut: hang up after so many bytes of the body.
        length: announced instead of the true one; None announces nothing.
        media: content type.
        pause: seconds before every further 16 KiB.
        more: headers.
    """

    def behave(handler: Handler) -> None:
        start, wanted = 0, handler.headers["Range"]
        current = not heed_if_range or handler.headers["If-Range"] in (None, etag)
        if wanted and ranges and current:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                handler.head(416, 0)
                return
            more["Content_Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        else:
            more.pop("Content_Range", None)
        body = content[start:]
        announced = len(body) if length == -1 else length
        headers = {"Content_Type": media, **({"ETag": etag} if etag else {}), **more}
        handler.head(206 if "Content_Range" in more else 200, announced, **headers)
        for place in range(0, len(body[:cut]), 1 << 14):
            handler.server.stop.wait(pause if place else 0)
            handler.wfile.write(body[:cut][place : place + (1 << 14)])
        handler.close_connection = handler.close_connection or cut is not None or length != -1

    return behave


def status(code: int, body: bytes = b"", **headers: str) -> Behaviour:
    def behave(handler: Handler) -> None:
        handler.head(code, len(body), **headers)
        handler.wfile.write(body)

    return behave


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """Behave differently at each request, at last always the same."""
    left = list(behaviours)

    def behave(handler: Handler) -> None:
        with handler.server.lock:
            chosen = left.pop(0) if len(left) > 1 else left[0]
        chosen(handler)

    return behave


def slowly(behaviour: Behaviour) -> Behaviour:
    def behave(handler: Handler) -> None:
        handler.server.stop.wait(0.1)
        behaviour(handler)

    return behave


def hang(handler: Handler) -> None:
    """Take the request and never answer."""
    handler.server.stop.wait(20)
    handler.close_connection = True


def hang_up(handler: Handler) -> None:
    """Close the connection without a word."""
    handler.close_connection = True


def drip(headers: bool) -> Behaviour:
    """Send a byte every now and then, often enough for any limit on one read: of the headers, or of the body."""

    def behave(handler: Handler) -> None:
        handler.close_connection = True
        if headers:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        else:
            handler.head(200, 10_000, Content_Type="application/zip")
        while not handler.server.stop.wait(0.05):
            handler.wfile.write(b"x")

    return behave


def redirect(location: str) -> Behaviour:
    return status(302, Location=location)
