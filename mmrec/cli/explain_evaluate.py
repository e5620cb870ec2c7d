"""`mmrec explain evaluate`: every arm on a frozen sample, measured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from mmrec.cli.explain import explain_parser
from mmrec.errors import UserError, require
from mmrec.explain.asker import Asker
from mmrec.explain.evaluation.arms import ARMS, save_texts, write_arm
from mmrec.explain.evaluation.faithfulness import cited_items, falls
from mmrec.explain.evaluation.linker import linker_rates
from mmrec.explain.evaluation.measures import measure
from mmrec.explain.evaluation.report import Report, arm_result, compare
from mmrec.explain.evaluation.sample import frozen_sample
from mmrec.explain.evaluation.sheet import write_sheet
from mmrec.explain.of_run import knowledge_of, likeness_of
from mmrec.explain.packet import build_packet
from mmrec.explain.prompt import Prompt
from mmrec.explain.verify import Verifier
from mmrec.training.run_folder import load_run, run_folder
from mmrec.utils.console import wide_console
from mmrec.utils.files import write_whole


def evaluate(args: Sequence[str]) -> None:
    """Measure explanations: template, language model without and with facts, verified, corrected, shuffled facts.

    Writes sample.json, the texts of each arm, evaluation.json, evaluation.md and a sheet for human rating. A run that
    was broken off goes on from the replies it had.
    """
    parser = explain_parser("explain evaluate", evaluate.__doc__)
    parser.add_argument("--pairs", type=int, default=60, help="(user, top recommendation) pairs of the sample")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--out", type=Path | None, default=None, help="folder; default: RUN/explanations")
    options = parser.instantiate_classes(parser.parse_args(list(args)))
    require(options.pairs >= 2, "--pairs", options.pairs, "at least 2")
    require(options.corrections >= 0, "--corrections", options.corrections, "at least 0")
    out = options.out or run_folder(options.ckpt) / "explanations"
    model, data = load_run(options.ckpt)
    knowledge = knowledge_of(data)
    verifier = Verifier(knowledge.vocabulary)
    prompt = Prompt(options.prompt_file)
    pairs = frozen_sample(model, data, options.pairs, options.seed, out / "sample.json")
    packets = [prompt.fit(build_packet(pair.recommendation, knowledge)) for pair in pairs]
    asker = Asker(options.llm, out / "llm_cache")
    if options.llm is not None and asker.given_up:
        raise UserError(f"--llm: {asker.given_up}; --llm null measures the template alone")
    interests = [pair.recommendation.interest for pair in pairs]
    likeness, least = likeness_of(model, data, knowledge, options.likeness)
    written, measures, results = {}, {}, []
    for name in [name for name, arm in ARMS.items() if options.llm is not None or not arm.asks]:
        texts = written[name] = write_arm(
            name, packets, interests, prompt, asker, verifier, options.corrections, likeness, least
        )
        save_texts(out / f"{name}.jsonl", texts)
        told = list(zip(texts, packets, strict=True))
        measures[name] = [measure(text.text, text.cited_history, packet, verifier) for text, packet in told]
        drafts = [[measure(draft.text, (), packet, verifier) for draft in text.drafts] for text, packet in told]
        cited = [
            cited_items(text.text, text.cited_history, pair, knowledge) for text, pair in zip(texts, pairs, strict=True)
        ]
        results.append(arm_result(name, texts, measures[name], falls(model, data, pairs, cited), drafts))
    about = {
        "checkpoint": str(options.ckpt), "data_hash": data.catalog.manifest.data_hash, "pairs": len(pairs),
        "seed": options.seed, "llm": asker.name, "digest": asker.digest,
        "strata": {s: sum(p.stratum == s for p in pairs) for s in sorted({p.stratum for p in pairs})},
        "likeness": {"method": likeness.method, "least": least} if likeness else None,
        "linker": [asdict(rates) for rates in linker_rates(packets, verifier)],
        "human_rating": "not run",
    }  # fmt: skip
    report = Report(results, compare(measures), about)
    write_sheet(out, packets, written)
    write_whole(out / "evaluation.json", json.dumps(report.as_dict(), indent=1) + "\n")
    write_whole(out / "evaluation.md", report.markdown())
    wide_console().print(report.markdown(), markup=False, highlight=False, soft_wrap=True)
    wide_console().print(f"written to {out}", markup=False, highlight=False)
