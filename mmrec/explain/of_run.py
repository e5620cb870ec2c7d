"""The pipeline that fits a trained model and its data."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from pytorch_lightning.utilities import rank_zero_info

from mmrec.data.datamodule import RecDataModule
from mmrec.data.schema import Split
from mmrec.errors import UserError
from mmrec.explain.evidence import first_instances, recommendations
from mmrec.explain.knowledge import Knowledge
from mmrec.explain.llm import LLM
from mmrec.explain.pipeline import ExplanationPipeline
from mmrec.explain.similarity import Least, Similarity
from mmrec.explain.themes import DescribedItems, Themes
from mmrec.explain.writing.writer import WritingOptions
from mmrec.models.recommender import Recommender

CALIBRATION_USERS = 200
"""The 5 % quantile then lies between ten users on one side and 190 on the other."""

log = logging.getLogger(__name__)


def knowledge_of(data: DescribedItems) -> Knowledge:
    """Return the facts of the items, with theme words by CLIP where their features and its weights are available."""
    try:
        themes = Themes.of(data)
    except UserError as error:  # the features are older than the cache the weights were in
        log.warning("images are described by their colours and brightness alone: %s", error)
        themes = None
    return Knowledge(data.catalog.item_table, str(data.catalog.folder / "items.parquet"), themes)


def similarity_of(
    model: Recommender, data: RecDataModule, knowledge: Knowledge, least: Least
) -> tuple[Similarity | None, float | None]:
    """Return the similarity that fits, and its threshold: as given, or calibrated on users of the validation split."""
    if least == "off":
        return None, None
    try:
        similarity = Similarity.of(model, data, knowledge)
    except UserError as error:
        log.warning("explanations are not compared with the user's interest: %s", error)
        return None, None
    if similarity is None:
        return None, None
    if least != "calibrated":
        return similarity, float(least)
    rows = first_instances(data, Split.VALID, CALIBRATION_USERS)
    if len(rows) < 2:
        return similarity, None
    calibration = similarity.calibrate(recommendations(model, data, rows, top_k=1), knowledge)
    rank_zero_info(
        f"explanations are compared with the user's interest by {similarity.method}: a free text needs a similarity of "
        f"{calibration.least:.3f}; a user's own explanation is more similar than another's in {calibration.auc:.0%} of "
        "cases"
    )
    return similarity, calibration.least


def pipeline_of(
    model: Recommender,
    data: RecDataModule,
    llm: LLM | None,
    prompt_file: Path | None = None,
    options: WritingOptions | None = None,
    similarity: Least = "calibrated",
) -> ExplanationPipeline:
    """Return the pipeline for a model.

    Args:
        model: a trained model that is attached to the data.
        data: the datamodule of the model.
        llm: the language model; None for the grammar alone.
        prompt_file: prompt template of the user's own.
        options: how explanations are written.
        similarity: least similarity of a free text, or how to find it.
    """
    knowledge = knowledge_of(data)
    options = options or WritingOptions()
    compared, least = similarity_of(model, data, knowledge, similarity) if llm else (None, None)
    options = replace(options, least_similarity=least)
    return ExplanationPipeline(knowledge, llm, prompt_file=prompt_file, options=options, similarity=compared)
