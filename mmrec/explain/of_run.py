"""The pipeline that fits a trained model and its data."""

from __future__ import annotations

import logging
from pathlib import Path

from pytorch_lightning.utilities import rank_zero_info

from mmrec.data.datamodule import RecDataModule
from mmrec.data.schema import Split
from mmrec.errors import UserError
from mmrec.explain.evidence import first_instances, recommendations
from mmrec.explain.knowledge import Knowledge
from mmrec.explain.likeness import Least, Likeness
from mmrec.explain.llm import LLM
from mmrec.explain.pipeline import ExplanationPipeline
from mmrec.explain.themes import Themes
from mmrec.models.recommender import Recommender

CALIBRATION_USERS = 200
"""The quantile of 5 % then lies between ten users on one side and 190 on the other."""

log = logging.getLogger(__name__)


def knowledge_of(data: RecDataModule) -> Knowledge:
    """Return the facts of a dataset, with theme words by CLIP where its features and weights are here."""
    try:
        themes = Themes.of(data)
    except UserError as error:  # the features are older than the cache the weights were in
        log.warning("theme words by colour and brightness alone: %s", error)
        themes = None
    return Knowledge.load(data.catalog.folder, themes)


def likeness_of(
    model: Recommender, data: RecDataModule, knowledge: Knowledge, least: Least
) -> tuple[Likeness | None, float | None]:
    """Return the likeness that fits, and its threshold: as given, or calibrated on users of the validation split."""
    if least == "off":
        return None, None
    try:
        likeness = Likeness.of(model, data, knowledge)
    except UserError as error:
        log.warning("explanations are not compared with the user's interest: %s", error)
        return None, None
    if likeness is None:
        return None, None
    if least != "calibrated":
        return likeness, float(least)
    rows = first_instances(data, Split.VALID, CALIBRATION_USERS)
    if len(rows) < 2:
        return likeness, None
    calibration = likeness.calibrate(recommendations(model, data, rows, top_k=1), knowledge)
    rank_zero_info(
        f"likeness by {likeness.method}: least {calibration.least:.3f}; a user's own explanation is nearer than "
        f"another's with a chance of {calibration.auc:.2f}"
    )
    return likeness, calibration.least


def pipeline_of(
    model: Recommender,
    data: RecDataModule,
    llm: LLM | None,
    prompt_file: Path | None = None,
    corrections: int = 1,
    least_likeness: Least = "calibrated",
) -> ExplanationPipeline:
    """Return the pipeline for a model: its knowledge, the language model, the verification.

    Args:
        model: trained and attached.
        data: of the model.
        llm: who writes; None for the template alone.
        prompt_file: a prompt template of the user's own.
        corrections: how often a reply that does not hold is asked for again.
        least_likeness: replies with less are far from the user's interest and do not hold.
    """
    knowledge = knowledge_of(data)
    likeness, least = likeness_of(model, data, knowledge, least_likeness) if llm else (None, None)
    return ExplanationPipeline(
        knowledge, llm, prompt_file=prompt_file, corrections=corrections, likeness=likeness, least_likeness=least
    )
