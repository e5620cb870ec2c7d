"""The routes of the server."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse

import mmrec
from mmrec.errors import InvalidArgument, UnknownItem, UserError
from mmrec.explain.request import RequestExplanation
from mmrec.explain.request import explain as explain_request
from mmrec.explain.streaming import Answered, answer_request
from mmrec.inference.item_table import have_values
from mmrec.inference.questions import ItemFilter, Question, Recommendation
from mmrec.inference.recommender import TrainedRecommender
from mmrec.inference.serve import bodies
from mmrec.inference.serve.engine import Busy, Engine
from mmrec.inference.serve.guard import Guard
from mmrec.inference.serve.measures import Measures
from mmrec.inference.serve.options import ServeOptions
from mmrec.inference.serve.streams import Ending, LanguageModel, answer, events

HERE = Path(__file__).parent
FAULTS = 3  # mistakes of a body that are told
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": bodies.Problem, "description": words}
    for status, words in {
        400: "The question cannot be answered", 401: "The token is missing or wrong", 404: "There is no such item",
        413: "The body is too large", 422: "The body has another form", 503: "The queue is full",
        504: "The answer took too long",
    }.items()
}  # fmt: skip


STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "With `stream`, the events"}
}
UNBUFFERED = {"cache-control": "no-store", "x-accel-buffering": "no"}
"""Headers by which reverse proxies pass every event on at once."""

log = logging.getLogger(__name__)


def build_app(options: ServeOptions) -> Guard:
    """Return the server's application.

    Raises:
        UserError: the model cannot be opened.
    """
    torch.set_num_threads(options.threads)
    # Requests with unknown ids are counted, and must not fill the log.
    logging.getLogger("mmrec.inference.recommender").setLevel(logging.ERROR)
    llm = LanguageModel.of(options)
    if llm is not None and llm.asker.given_up:
        log.warning("--llm: %s; explanations are from facts until it answers", llm.asker.given_up)
    engine = Engine(Path(options.model), batch=options.batch, waiting=options.queue, runtime=options.runtime)
    measures, ending = Measures(), Ending()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watching = asyncio.create_task(engine.watch(options.watch)) if options.watch else None
        with ending.noticed():
            yield
        if watching is not None:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
        engine.close()

    app = FastAPI(
        title="mmrec", version=mmrec.__version__, docs_url=None, redoc_url=None, lifespan=lifespan,
        description="Recommendations from a trained model.",
    )  # fmt: skip
    _add_problems(app)
    _add_answers(app, engine, measures, options.timeout)
    _add_explanations(app, engine, measures, options.timeout, partial(events, model=llm, ending=ending))
    _add_items(app, engine)
    _add_pages(app, engine, measures)
    return Guard(app, options, measures)


def _add_answers(app: FastAPI, engine: Engine, measures: Measures, timeout: float) -> None:
    """Add what the model computes."""

    async def compute(function: Callable[[], Any]) -> Any:
        async with asyncio.timeout(timeout):
            return await engine.call(function)

    def listed(made: list[Recommendation], shop: TrainedRecommender, *, known: int, unknown: int) -> Response:
        measures.unknown.inc(unknown)
        popular = shop.model.reads_history and not known
        return _json({"items": [one._asdict() for one in made], "unknown": unknown, "popular": popular})

    @app.post("/recommend", response_model=bodies.ListAnswer, responses=PROBLEMS)
    async def recommend(body: bodies.RecommendBody) -> Response:
        """Return the best items after a history."""
        shop = engine.served.shop

        def ask() -> Question:
            return shop.ask(
                body.history, body.k, times=body.times, user=body.user, candidates=body.candidates,
                exclude=body.exclude, filter=_filter(shop, body.where),
            )  # fmt: skip

        question = await compute(ask) if body.where else ask()
        async with asyncio.timeout(timeout):
            made = await engine.ask(shop, question)
        return listed(made, shop, known=len(question.history.items), unknown=question.history.unknown)

    @app.post("/rank", response_model=bodies.ListAnswer, responses=PROBLEMS)
    async def rank(body: bodies.RankBody) -> Response:
        """Return given items in the order of their scores."""
        served = engine.served
        made = await compute(lambda: served.shop.rank(body.history, body.items, times=body.times, user=body.user))
        known = len(served.shop.ids.known(body.history, "history"))
        return listed(made, served.shop, known=known, unknown=len(body.history) - known)

    @app.post("/similar", response_model=bodies.ListAnswer, responses=PROBLEMS)
    async def similar(body: bodies.SimilarBody) -> Response:
        """Return the items whose vectors are most similar to that of one item."""
        shop = engine.served.shop
        made = await compute(lambda: shop.similar(body.item, body.k))
        return _json({"items": [one._asdict() for one in made], "unknown": 0, "popular": False})


def _add_explanations(
    app: FastAPI, engine: Engine, measures: Measures, timeout: float, stream: Callable[..., AsyncIterator[str]]
) -> None:
    """Add the reasons of recommendations."""

    @app.post("/explain", response_model=bodies.ExplainAnswer, responses=PROBLEMS | STREAM)
    async def explain(body: bodies.ExplainBody) -> Response:
        """Return why an item is recommended, from facts alone; with `stream`, a language model's text after it."""
        shop = engine.served.shop

        def work() -> Answered | RequestExplanation:
            request = shop.request(body.history, body.item, times=body.times, user=body.user)
            return answer_request(*request) if body.stream else explain_request(*request)

        async with asyncio.timeout(timeout):
            made = await engine.call(work)
        if isinstance(made, RequestExplanation):
            return _json(answer(made))
        parts = stream(made, count=lambda source: measures.written.labels(source).inc())
        return StreamingResponse(parts, media_type="text/event-stream", headers=UNBUFFERED)


def _add_items(app: FastAPI, engine: Engine) -> None:
    """Add the catalogue."""

    @app.get("/items", response_model=bodies.ItemsAnswer, responses=PROBLEMS)
    def items(
        search: Annotated[str, Query(max_length=200, description="Words of the title.")] = "",
        limit: Annotated[int, Query(ge=1, le=200)] = 24,
        offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    ) -> Response:
        """Return items by words of their titles, the most popular first."""
        return _json(engine.served.catalogue.search(search, limit, offset))

    # Ids may hold slashes, so an image's route comes first.
    @app.get("/items/{item:path}/image", response_class=FileResponse, responses=PROBLEMS)
    def image(item: str) -> Response:
        """Return the image of an item."""
        found = engine.served.catalogue.image(item)
        if found is None:
            return _problem(404, f"the item {item!r} has no image here")
        return FileResponse(found[0], media_type=found[1], headers={"cache-control": "private, max-age=3600"})

    @app.get("/items/{item:path}", response_model=bodies.ItemAnswer, responses=PROBLEMS)
    def describe(item: str) -> Response:
        """Return the facts of an item."""
        catalogue = engine.served.catalogue
        if item not in catalogue:
            return _problem(404, f"the item {item!r} is not in the catalogue")
        return _json(catalogue.describe(item))


def _add_pages(app: FastAPI, engine: Engine, measures: Measures) -> None:
    """Add the pages, and what tells how the server is."""
    for path, name in (("/", "page.html"), ("/docs", "docs.html")):
        html = (HERE / name).read_text(encoding="utf-8")
        page = HTMLResponse(html, headers={"content-security-policy": _policy(html)})
        app.add_api_route(path, _constant(page), include_in_schema=False)

    @app.get("/health", response_model=bodies.HealthAnswer)
    async def health() -> Response:
        """Return what is served."""
        served = engine.served
        return _json(
            {
                "status": "ok",
                "model": type(served.shop.model).__name__,
                "data_hash": served.shop.model.data_hash,
                "items": len(served.shop.catalog.item_table) - 1,
                "loaded": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(served.loaded)),
            }
        )

    @app.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Return counts and durations in the text format of Prometheus."""
        measures.waiting.set(engine.waiting)
        for result, count in engine.swaps.items():
            engine.swaps[result] = 0
            measures.swaps.labels(result).inc(count)
        return Response(measures.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_problems(app: FastAPI) -> None:
    """Turn what goes wrong into a status and one sentence."""

    @app.exception_handler(RequestValidationError)
    async def other_form(_: Request, error: RequestValidationError) -> Response:
        faults = error.errors()
        if faults[0]["type"] == "json_invalid":
            return _problem(422, "the body is not valid JSON")
        more = [f"{len(faults) - FAULTS} more mistakes"] if len(faults) > FAULTS else []
        return _problem(422, "; ".join([*map(_fault, faults[:FAULTS]), *more]))

    @app.exception_handler(InvalidArgument)
    async def wrong_argument(_: Request, error: InvalidArgument) -> Response:
        return _problem(404 if isinstance(error, UnknownItem) else 400, str(error))

    @app.exception_handler(UserError)
    async def wrong(_: Request, error: UserError) -> Response:
        return _problem(400, str(error))

    @app.exception_handler(Busy)
    async def busy(_: Request, error: Busy) -> Response:
        return _problem(503, "too many requests are waiting: try again later", {"retry-after": "1"})

    @app.exception_handler(TimeoutError)
    async def late(_: Request, error: TimeoutError) -> Response:
        return _problem(504, "the answer took too long")

    @app.exception_handler(400)
    async def no_json(_: Request, error: Exception) -> Response:
        # FastAPI's status for bytes that are not UTF-8 and for lists nested too deeply; nothing here raises it itself.
        return _problem(422, "the body is not valid JSON")

    @app.exception_handler(404)
    async def nowhere(request: Request, error: Exception) -> Response:
        return _problem(404, "there is no such path; /docs names all")

    @app.exception_handler(405)
    async def other_method(request: Request, error: Exception) -> Response:
        return _problem(405, f"the method {request.method} is not allowed for this path; /docs names all")


def _constant(response: Response) -> Callable[[], Response]:
    return lambda: response


def _fault(fault: Mapping[str, Any]) -> str:
    """Return where a body has which mistake."""
    place = ".".join(str(part) for part in fault["loc"][1:]) or "the body"
    return f"{place}: {fault['msg'][:1].lower()}{fault['msg'][1:]}"


def _filter(shop: TrainedRecommender, where: dict[str, str | list[str]]) -> ItemFilter | None:
    """Return the filter of items by the values of their attributes."""
    if not where:
        return None
    for name in where:
        if name not in shop.facts.columns:
            columns = ", ".join(column for column in shop.facts.columns if column not in ("title", "text"))
            raise InvalidArgument("where", f"where: the items have no attribute {name!r}; they have {columns}")
    wanted = {name: [value] if isinstance(value, str) else value for name, value in where.items()}
    return lambda items: have_values(shop.facts, items, wanted)


def _json(content: Any) -> Response:
    return Response(json.dumps(content, ensure_ascii=False), media_type="application/json")


def _problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"detail": " ".join(detail.split())}, status, headers)


def _policy(html: str) -> str:
    """Return the Content-Security-Policy by which a page runs its own script and style, and talks to this server."""

    def hashes(tag: str) -> str:
        found = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in found]
        return " ".join(f"'sha256-{digest}'" for digest in digests)

    return (
        f"default-src 'none'; script-src {hashes('script')}; style-src {hashes('style')}; img-src 'self' blob: data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
