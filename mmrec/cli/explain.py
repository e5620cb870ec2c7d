"""`mmrec explain`: why a trained model recommends what it does to one user."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from mmrec.cli.explain_options import explain_parser
from mmrec.data.datamodule import RecDataModule
from mmrec.data.sources.readers.ids import one_spelling
from mmrec.errors import UserError, require
from mmrec.explain.evidence import recommendations
from mmrec.explain.of_run import pipeline_of
from mmrec.explain.outcome import WRITERS
from mmrec.explain.rows import read_rows
from mmrec.explain.writing.writer import WritingOptions
from mmrec.training.run_folder import load_run, only_writer, run_folder
from mmrec.utils.console import wide_console


def explain(args: Sequence[str]) -> None:
    """Explain a trained model's recommendations to one user: in the terminal, and with all evidence in a file."""
    if list(args[:1]) == ["evaluate"]:
        from mmrec.cli.explain_evaluate import evaluate

        evaluate(args[1:])
        return
    parser = explain_parser("explain", explain.__doc__)
    parser.add_argument("--user", type=str, required=True, help="the user's id in the raw data")
    parser.add_argument("--top_k", type=int, default=1, help="number of explained recommendations")
    parser.add_argument("--out", type=Path | None, default=None, help="default: RUN/explanations_USER.jsonl")
    options = parser.instantiate_classes(parser.parse_args(list(args)))
    require(options.top_k >= 1, "--top_k", options.top_k, "at least 1")
    require(options.corrections >= 0, "--corrections", options.corrections, "at least 0")
    folder = run_folder(options.ckpt)
    model, data = load_run(options.ckpt, with_added=True)
    user = torch.tensor([user_index(data, options.user)])
    writing = WritingOptions(way=options.writing, corrections=options.corrections)
    pipeline = pipeline_of(model, data, options.llm, options.prompt_file, writing, options.similarity)
    made = recommendations(model, data, user, options.top_k, of_users=True)
    if not made:
        raise UserError(f"--user {options.user}: knows every item, so there is nothing to recommend")
    out = options.out or folder / f"explanations_{file_part(options.user)}.jsonl"
    with only_writer(folder):
        summary = pipeline.run(made, out)
    for row in read_rows(summary.path):
        _show(row)
    wide_console().print(str(summary), markup=False, highlight=False)


def user_index(data: RecDataModule, raw_id: str) -> int:
    """Return a user's index. Raises UserError if the data has no such user."""
    try:
        return data.catalog.user_ids.index(one_spelling(raw_id))
    except ValueError:
        some = ", ".join(data.catalog.user_ids[:3])
        raise UserError(
            f"--user {raw_id}: not among the {data.n_users} users of {data.catalog.folder}, whose ids look like {some}"
        ) from None


def file_part(raw_id: str) -> str:
    """Return a user's id as a part of a file name: as it is, or cleaned, cut and with a hash that keeps ids apart."""
    part = re.sub(r"[^A-Za-z0-9_-]", "_", raw_id)[:80]
    if part == raw_id:
        return part
    digest = hashlib.sha256(raw_id.encode("utf-8", "backslashreplace")).hexdigest()
    return f"{part}.{digest[:8]}"  # no id that stays as it is has a full stop


def _show(row: dict[str, Any]) -> None:
    """Print one explanation with its evidence; catalogue text is not markup."""
    packet = row["packet"]
    history = ", ".join(item["title"] for item in packet["history"])
    used = {name for sentence in row["sentences"] for name in sentence["statements"]}
    reason = f": {row['reason']}" if row["reason"] else ""
    lines = [
        f"{row['rank']}. {packet['title']} (item {row['item']}, score {row['score']:.3f})",
        f"   {row['text']}",
        f"   by {WRITERS[row['source']]}{reason}",
        *(f"   {s['id']}: {s['text']}" for s in row["statements"] if s["id"] in used),
        f"   history, oldest first: {history or 'none'}",
    ]
    wide_console().print("\n".join(lines), markup=False, highlight=False)
