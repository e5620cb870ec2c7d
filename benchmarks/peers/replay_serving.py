"""Serving by RePlay's compiled SASRec: its OpenVINO form, and the ONNX file that it is made from in ONNX Runtime.

OpenVINO computes in bfloat16 by default where the processor has it, so the share of lists equal to those of the model
is measured too.

`SasRecCompiled` is used as its documentation says. It returns the scores of all items; the history is excluded and the
best k are taken as in `replay.models.nn.sequential.postprocessors`, by row numbers and without titles.

Arguments: a JSON object with `items`, `length`, `k`, `requests`, `together`, `hidden_dim`, `heads` and `layers`.
Prints times as JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np
import onnxruntime
import torch
from replay.data import FeatureHint, FeatureSource, FeatureType
from replay.data.nn import TensorFeatureInfo, TensorFeatureSource, TensorSchema
from replay.models.nn.sequential.compiled import SasRecCompiled
from replay.models.nn.sequential.sasrec import SasRec

Scores = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def answer(scores: Scores, histories: torch.Tensor, k: int) -> list[list[tuple[int, float]]]:
    """Return the best k items of each full window (B, L), without its own."""
    found = scores(histories, torch.ones_like(histories, dtype=torch.bool))
    best = found.scatter(1, histories, -torch.inf).topk(k)
    return [list(zip(*row, strict=True)) for row in zip(best.indices.tolist(), best.values.tolist(), strict=True)]


def clock(scores: Scores, histories: torch.Tensor, k: int) -> list[float]:
    """Return the seconds of each batch (n, B, L), after a warm-up."""
    for batch in histories[:20]:
        answer(scores, batch, k)
    seconds = []
    for batch in histories:
        started = perf_counter()
        answer(scores, batch, k)
        seconds.append(perf_counter() - started)
    return seconds


def equal_lists(scores: Scores, exact: Scores, histories: torch.Tensor, k: int) -> float:
    """Return the share of windows (n, 1, L) with the same items in the same order by both."""
    pairs = [(answer(scores, one, k)[0], answer(exact, one, k)[0]) for one in histories]
    return sum([i for i, _ in found] == [i for i, _ in wanted] for found, wanted in pairs) / len(pairs)


def main() -> None:
    warnings.simplefilter("ignore")  # the class is deprecated and has no successor with a compiled form
    asked = json.loads(sys.argv[1])
    torch.set_num_threads(1)
    torch.manual_seed(0)
    items, length, k = asked["items"], asked["length"], asked["k"]
    source = TensorFeatureSource(FeatureSource.INTERACTIONS, "item_id")
    info = TensorFeatureInfo(
        name="item_id", feature_type=FeatureType.CATEGORICAL, is_seq=True, feature_hint=FeatureHint.ITEM_ID,
        feature_sources=[source], cardinality=items, padding_value=items, embedding_dim=asked["hidden_dim"],
    )  # fmt: skip
    model = SasRec(
        TensorSchema([info]), block_count=asked["layers"], head_count=asked["heads"],
        hidden_size=asked["hidden_dim"], max_seq_len=length,
    ).eval()  # fmt: skip
    generator = torch.Generator().manual_seed(1)
    single = torch.randint(items, (asked["requests"], 1, length), generator=generator)
    together = torch.randint(items, (asked["requests"] // 5, asked["together"], length), generator=generator)
    result = {}
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "sasrec.onnx")
        one = SasRecCompiled.compile(model, mode="one_query", num_threads=1, onnx_path=path)
        many = SasRecCompiled.compile(model, mode="batch", batch_size=asked["together"], num_threads=1)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(path, options)
        names = [entry.name for entry in session.get_inputs()]

        def by_openvino(compiled: SasRecCompiled) -> Scores:
            return lambda items, mask: compiled.predict({"feature_tensor": {"item_id": items}, "padding_mask": mask})

        def by_onnx(items: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return torch.from_numpy(session.run(None, dict(zip(names, (items.numpy(), mask.numpy()), strict=True)))[0])

        def by_model(items: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                return model._model.predict({"item_id": items}, mask)

        forms = {"OpenVINO": (by_openvino(one), by_openvino(many)), "ONNX Runtime": (by_onnx, by_onnx)}
        for name, (alone, batched) in forms.items():
            seconds = clock(alone, single, k)
            result[name] = {
                "p50_ms": 1e3 * float(np.median(seconds)),
                "p95_ms": 1e3 * float(np.quantile(seconds, 0.95)),
                "equal_lists": equal_lists(alone, by_model, single, k),
                "together_per_second": asked["together"] / float(np.median(clock(batched, together, k))),
            }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
