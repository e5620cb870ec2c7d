"""`mmrec serve`: recommendations over HTTP."""

from __future__ import annotations

import os
from collections.abc import Sequence

from jsonargparse import ArgumentParser

from mmrec.errors import UserError
from mmrec.explain.llm import LLM
from mmrec.inference.serve.options import ServeOptions
from mmrec.inference.serve.server import serve as serve_model
from mmrec.utils.shipped import toy_bundle

TOKEN = "MMREC_TOKEN"
"""Environment variable of the bearer token: a command line is visible to everybody on the machine."""


def serve(args: Sequence[str]) -> None:
    """Answer over HTTP for a bundle or a run, with a page to try it; a bundle that is replaced is taken over."""
    parser = ArgumentParser(prog="mmrec serve", description=serve.__doc__, exit_on_error=False)
    parser.add_argument("model", type=str | None, nargs="?", help="a bundle of `mmrec export`, or the folder of a run")
    parser.add_argument("--demo", action="store_true", help="serve the toy shop's model that ships with the package")
    parser.add_class_arguments(ServeOptions, skip={"model", "token", "llm"})
    parser.add_argument(
        "--llm", type=LLM | None, default=None,
        help="the language model of streamed explanations, for example mmrec.explain.llm.OllamaLLM with --llm.model",
    )  # fmt: skip
    options = parser.parse_args(list(args))
    if options.demo == (options.model is not None):
        raise UserError("mmrec serve: name a bundle or the folder of a run, or pass --demo")
    options.model = str(toy_bundle()) if options.demo else options.model
    values = {name: getattr(options, name) for name in ServeOptions.__dataclass_fields__ if name != "token"}
    values["llm"] = None if options.llm is None else options.llm.as_dict()
    serve_model(ServeOptions(**values, token=os.environ.get(TOKEN)))
