"""`mmrec explain evaluate`: every arm on a frozen sample, measured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from mmrec.cli.explain_options import explain_parser
from mmrec.errors import UserError, require
from mmrec.explain.asker import Asker
from mmrec.explain.evaluation.arms import ARMS, Case, save_texts, write_arm
from mmrec.explain.evaluation.faithfulness import cited_items, falls
from mmrec.explain.evaluation.judge import RuleJudge
from mmrec.explain.evaluation.measures import measure
from mmrec.explain.evaluation.probe import verifier_rates
from mmrec.explain.evaluation.report import Report, arm_result, compare
from mmrec.explain.evaluation.sample import frozen_sample
from mmrec.explain.evaluation.sheet import write_sheet
from mmrec.explain.of_run import knowledge_of, similarity_of
from mmrec.explain.packet import build_packet
from mmrec.explain.statements import evidence_of
from mmrec.explain.writing.prompt import Prompt
from mmrec.explain.writing.writer import Question, Way
from mmrec.training.run_folder import load_run, only_writer, run_folder
from mmrec.utils.console import wide_console
from mmrec.utils.files import write_whole


def evaluate(args: Sequence[str]) -> None:
    """Measure explanations: grammar alone, grounded, and free without and with statements, verified, corrected.

    Writes sample.json, the texts of each arm, evaluation.json, evaluation.md and a sheet for blind readings. A run that
    was interrupted continues from the replies it had.
    """
    parser = explain_parser("explain evaluate", evaluate.__doc__)
    parser.add_argument("--pairs", type=int, default=60, help="(user, top recommendation) pairs of the sample")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sample")
    parser.add_argument("--out", type=Path | None, default=None, help="folder; default: RUN/explanations")
    parser.add_argument("--arms", type=list[str], default=list(ARMS), help=f"arms to run, of {', '.join(ARMS)}")
    options = parser.instantiate_classes(parser.parse_args(list(args)))
    require(options.pairs >= 2, "--pairs", options.pairs, "at least 2")
    require(options.corrections >= 0, "--corrections", options.corrections, "at least 0")
    require(set(options.arms) <= set(ARMS), "--arms", options.arms, f"some of {', '.join(ARMS)}")
    folder = run_folder(options.ckpt)
    with only_writer(options.out or folder):
        _evaluate(options, options.out or folder / "explanations")


def _evaluate(options: Any, out: Path) -> None:
    model, data = load_run(options.ckpt)
    knowledge = knowledge_of(data)
    pairs = frozen_sample(model, data, options.pairs, options.seed, out / "sample.json")
    questions = [
        Question(
            build_packet(pair.recommendation, knowledge), evidence_of(pair.recommendation, knowledge),
            pair.recommendation.interest,
        )
        for pair in pairs
    ]  # fmt: skip
    asker = Asker(options.llm, out / "llm_cache")
    if options.llm is not None and asker.given_up:
        raise UserError(f"--llm: {asker.given_up}; --llm null measures the grammar alone")
    similarity, least = similarity_of(model, data, knowledge, options.similarity)
    own = {options.writing: options.prompt_file}
    prompts = {way: Prompt(own.get(way), way) for way in get_args(Way)}
    case = Case(questions, prompts, asker, options.corrections, similarity, least)
    judge = RuleJudge(value for facts in knowledge.all_facts() for values in facts.values() for value in values)
    written, measures, results = {}, {}, []
    for name in [name for name in ARMS if name in options.arms and (options.llm is not None or not ARMS[name].asks)]:
        texts = written[name] = write_arm(name, case)
        save_texts(out / f"{name}.jsonl", texts, questions)
        cited = [
            cited_items(text.text, text.cited_history, pair, knowledge) for text, pair in zip(texts, pairs, strict=True)
        ]
        measures[name] = [
            measure(text.text, items, question.packet, question.evidence, judge)
            for text, items, question in zip(texts, cited, questions, strict=True)
        ]
        results.append(arm_result(name, texts, measures[name], falls(model, data, pairs, cited)))
    about = {
        "checkpoint": str(options.ckpt), "data_hash": data.catalog.manifest.data_hash, "pairs": len(pairs),
        "seed": options.seed, "llm": asker.name, "digest": asker.digest,
        "strata": {s: sum(p.stratum == s for p in pairs) for s in sorted({p.stratum for p in pairs})},
        "similarity": {"method": similarity.method, "least": least} if similarity else None,
        "verifier": asdict(verifier_rates([question.evidence for question in questions])),
    }  # fmt: skip
    report = Report(results, compare(measures), about)
    spoken = {name: [one.text for one in texts] for name, texts in written.items()}
    write_sheet(out, [question.packet for question in questions], spoken)
    write_whole(out / "evaluation.json", json.dumps(report.as_dict(), indent=1) + "\n")
    write_whole(out / "evaluation.md", report.markdown())
    wide_console().print(report.markdown(), markup=False, highlight=False, soft_wrap=True)
    wide_console().print(f"written to {out}", markup=False, highlight=False)
