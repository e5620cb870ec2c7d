from copy import copy

import torch

from mmrec.data.datamodule import RecDataModule
from mmrec.data.schema import Split
from mmrec.explain.evidence import first_instances, recommendations
from mmrec.explain.request import Request, recommendation_of_request
from tests.contracts.conftest import build


def test_what_is_explained_is_what_the_model_recommends_under_its_input_ablation(toy: RecDataModule) -> None:
    model = build("sasrec", toy).eval()
    torch.nn.init.normal_(model.sequence_encoder.position.weight, std=3.0)  # it goes by the order
    shuffled = copy(toy)
    shuffled.input_ablation = "order_shuffled"
    lists = {}
    for data in (toy, shuffled):
        rows = first_instances(data, Split.TEST, users=20)
        explained = recommendations(model, data, rows, top_k=5)
        batch = data.loader_of(rows).batch(torch.arange(len(rows)))
        scores, _ = model.recommend(batch, 5)
        of_row = dict(zip(batch.instance.tolist(), scores.tolist(), strict=True))
        assert [one.score for one in explained] == [score for row in rows.tolist() for score in of_row[row]]
        lists[data.input_ablation] = [one.item for one in explained]
    assert lists[None] != lists["order_shuffled"]


def test_the_evidence_says_what_the_model_reads(toy: RecDataModule) -> None:
    model = build("racl_kal", toy).eval()
    explained = recommendations(model, toy, first_instances(toy, Split.TEST, users=1), top_k=1)
    requested = recommendation_of_request(model, Request([1, 2], 3))
    assert [one.modalities for one in (*explained, requested)] == [("text",), ("text",)]
