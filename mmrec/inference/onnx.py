"""A bundle's graph computed by ONNX Runtime, in less time per request than PyTorch; only rounding differs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from mmrec.errors import UserError
from mmrec.inference.histories import History, right_padded

Runtime = Literal["torch", "onnx"]
"""What computes the scores of a bundle."""

USERS, SCORES = "user_encoder.onnx", "scorer.onnx"


class OnnxGraph:
    """The user encoder of a bundle, or its scorer where scores are not products of vectors.

    Args:
        bundle: folder of the bundle.

    Raises:
        UserError: ONNX Runtime is not installed, or the bundle has no graph in ONNX.
    """

    def __init__(self, bundle: Path) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise UserError("onnxruntime is not installed: pip install 'mmrec[export]'") from None
        found = [bundle / name for name in (SCORES, USERS) if (bundle / name).is_file()]
        if not found:
            raise UserError(
                f"{bundle}: there is no {USERS} and no {SCORES}, so that ONNX Runtime cannot compute it; manifest.json "
                "says why, or leave the runtime at torch"
            )
        self.gives_scores = found[0].name == SCORES
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self._session: Any = onnxruntime.InferenceSession(found[0], options, providers=["CPUExecutionProvider"])
        self._timed = len(self._session.get_inputs()) > 1

    def __call__(self, histories: Sequence[History], newest: int) -> Tensor:
        """Return the scores of all items (B, I), or the user vectors (B, D).

        Args:
            histories: B histories, each with at least one item.
            newest: the newest time in the data, in seconds; the next item is asked for then, or at the last given time
                if that is later.
        """
        inputs = {"items": right_padded([one.items for one in histories])}
        if self._timed:
            times = [one.times or (newest,) * len(one.items) for one in histories]
            inputs["item_time"] = right_padded(times)
            inputs["query_time"] = np.array([max(newest, one[-1]) for one in times])
        return torch.from_numpy(self._session.run(None, inputs)[0])
