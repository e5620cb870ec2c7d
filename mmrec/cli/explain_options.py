"""Options that every explaining command has."""

from __future__ import annotations

from pathlib import Path

from jsonargparse import ArgumentParser

from mmrec.explain.llm import LLM
from mmrec.explain.similarity import Least
from mmrec.explain.writing.writer import Way

DEFAULT_LLM = {"class_path": "mmrec.explain.llm.OllamaLLM", "init_args": {"model": "gemma3:4b"}}


def explain_parser(name: str, description: str | None) -> ArgumentParser:
    """Return a parser of the options of every explaining command: the run, the language model, the prompt."""
    parser = ArgumentParser(prog=f"mmrec {name}", description=description, exit_on_error=False)
    parser.add_argument("--ckpt", type=Path, required=True, help="RUN/checkpoints/best.ckpt, or RUN, a run's folder")
    parser.add_argument("--llm", type=LLM | None, help="the language model; null for the grammar alone")
    parser.set_defaults({"llm": DEFAULT_LLM})
    parser.add_argument(
        "--writing", type=Way, default="grounded",
        help="grounded: the model chooses true statements; free: it writes, false sentences are removed",
    )  # fmt: skip
    parser.add_argument("--prompt_file", type=Path | None, default=None, help="a prompt template of your own")
    parser.add_argument("--corrections", type=int, default=1, help="times a wrong free text is asked for again")
    parser.add_argument(
        "--similarity", type=Least, default="calibrated",
        help="reject free texts with a smaller cosine to the user's interest: a number, calibrated, or off",
    )  # fmt: skip
    return parser
