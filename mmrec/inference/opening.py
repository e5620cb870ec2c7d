"""A trained model opened by its path."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from mmrec.errors import UserError, require
from mmrec.inference.bundle import is_bundle, load_bundle
from mmrec.inference.onnx import OnnxGraph, Runtime
from mmrec.inference.recommender import TrainedRecommender
from mmrec.training.run_folder import load_run


def load(run: str | Path, runtime: Runtime = "torch") -> TrainedRecommender:
    """Open a trained model by its run or its bundle, with the items that were added to it.

    Args:
        run: the run's folder, for example "runs/toy/sasrec/seed1", for its best checkpoint; a checkpoint in it; or a
            bundle that `mmrec export` has written.
        runtime: "torch" computes as in training; "onnx" computes a bundle's graph by ONNX Runtime, which takes less
            time for a single request and gives the same scores but for rounding.

    Raises:
        UserError: the run does not exist or is damaged, or its data has changed; or the runtime cannot compute it.
        InvalidArgument: `runtime` has another value.
    """
    path = Path(run)
    require(runtime in get_args(Runtime), "runtime", runtime, f"one of {', '.join(get_args(Runtime))}")
    if is_bundle(path):
        return TrainedRecommender(*load_bundle(path), OnnxGraph(path) if runtime == "onnx" else None)
    if runtime == "onnx":
        raise UserError(f"{path}: ONNX Runtime computes bundles: write one with `mmrec export {path} --to FOLDER`")
    return TrainedRecommender(*load_run(path, with_added=True))
