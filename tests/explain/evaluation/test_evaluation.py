"""The evaluation against models whose texts are known to be right or wrong."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from mmrec.data.datamodule import RecDataModule
from mmrec.data.schema import Split
from mmrec.errors import UserError
from mmrec.explain import Knowledge, Packet, Prompt, Reply, Verifier, build_packet, from_facts
from mmrec.explain.asker import Asker
from mmrec.explain.evaluation.arms import ARMS, shown_packets, write_arm
from mmrec.explain.evaluation.faithfulness import batch_of, cited_items, falls
from mmrec.explain.evaluation.linker import linker_rates
from mmrec.explain.evaluation.measures import distinct, measure, unique_sentences
from mmrec.explain.evaluation.report import Report, arm_result, compare
from mmrec.explain.evaluation.sample import frozen_sample
from mmrec.explain.evaluation.sheet import NOT_RUN, write_sheet
from mmrec.explain.llm import FailureKind, LLMFailure
from mmrec.explain.packet import HistoryItem
from tests.contracts.conftest import build

PACKET = Packet(
    "Owl wool hat",
    {"brand": ["Miro"], "material": ["wool"]},
    history=[HistoryItem("Fox wool shirt", {"material": ["wool"]})],
)
LIE = Reply("It is a Casa Verde hat of tweed from 1987.", ("Gone with the Wind",))


class Says:
    """Answers by a function of the prompt."""

    name, settings, concurrency = "says", {}, 2

    def __init__(self, answer):
        self.answer = answer

    def digest(self):
        return "d"

    def generate(self, prompt, images=()):
        return self.answer(prompt)


@pytest.fixture(scope="module")
def shop(toy: RecDataModule) -> Knowledge:
    return Knowledge.load(toy.catalog.folder)


def test_the_sample_is_stratified_and_frozen(toy: RecDataModule, tmp_path) -> None:
    model = build("itemknn", toy)
    file = tmp_path / "sample.json"
    pairs = frozen_sample(model, toy, 12, 0, file)
    assert len({pair.row for pair in pairs}) == len(pairs) == 12
    counts = [sum(p.stratum == s for p in pairs) for s in {p.stratum for p in pairs}]
    assert max(counts) - min(counts) <= 1
    assert all((toy.catalog.split[pair.row] == int(Split.TEST)).item() for pair in pairs)
    for pair in pairs:  # the evidence is what came before the held-out interaction
        user = toy.catalog.user_of(torch.tensor([pair.row]))
        assert pair.recommendation.history == toy.catalog.items[toy.catalog.offsets[user] : pair.row].tolist()
    again = frozen_sample(model, toy, 12, 0, file)
    assert [p.recommendation.item for p in again] == [p.recommendation.item for p in pairs]
    with pytest.raises(UserError, match="other data, seed or size"):
        frozen_sample(model, toy, 12, 1, file)
    with pytest.raises(UserError, match="other data, seed or size"):  # never fewer pairs than asked for, unsaid
        frozen_sample(model, toy, 13, 0, file)
    with pytest.raises(UserError, match="another model"):
        frozen_sample(build("popularity", toy), toy, 12, 0, file)


def test_measures_of_one_text() -> None:
    verifier = Verifier()
    right = measure("“Owl wool hat” is wool, as “Fox wool shirt” is.", ["Fox wool shirt"], PACKET, verifier)
    assert (right.mentions, right.supported, right.anchors, right.named, right.clean) == (4, 4, 2, 2, True)
    wrong = measure("It is tweed by Nike.", [], PACKET, verifier)
    assert (wrong.mentions, wrong.contradictions, wrong.off_packet, wrong.named, wrong.clean) == (2, 1, 1, 0, False)
    failed = measure("", [], PACKET, verifier)
    assert (failed.mentions, failed.supported, failed.named, failed.failed, failed.clean) == (1, 0, 0, True, False)


def test_diversity() -> None:
    assert distinct(["a b a", "a b"], 1) == 2 / 5
    assert distinct(["a b a", "a b"], 2) == 2 / 3
    assert unique_sentences(["One.", "one", "Two.", ""]) == 2 / 3


def test_arms_show_their_facts() -> None:
    other = replace(PACKET, title="Elk hat", facts={"brand": ["Halcyon"]})
    nothing = shown_packets([PACKET], "none")[0]
    assert (nothing.title, nothing.facts, nothing.history[0].shared) == ("Owl wool hat", {}, {})
    shuffled = shown_packets([PACKET, other], "shuffled")
    assert [(p.title, p.facts) for p in shuffled] == [("Owl wool hat", other.facts), ("Elk hat", PACKET.facts)]


def results(answer, packets, verifier=None):
    verifier = verifier or Verifier()
    asker, found, measures = Asker(Says(answer), None), {}, {}
    for name in ARMS:
        written = write_arm(name, packets, [None] * len(packets), Prompt(), asker, verifier)
        measures[name] = [measure(w.text, w.cited_history, p, verifier) for w, p in zip(written, packets, strict=True)]
        drafts = [[measure(d.text, (), p, verifier) for d in w.drafts] for w, p in zip(written, packets, strict=True)]
        found[name] = arm_result(name, written, measures[name], [float("nan")] * len(packets), drafts)
    return found, measures


def test_a_liar_ends_in_the_template() -> None:
    found, measures = results(lambda prompt: LIE, [PACKET] * 6)
    assert found["facts"].precision == 0
    assert found["facts"].sources == {"llm": 6}
    for arm in ("verified", "corrected", "template"):
        assert (found[arm].precision, found[arm].off_packet, found[arm].clean) == (1, 0, 1)
        assert found[arm].sources == {"template": 6}
    assert (found["corrected"].fixed, found["corrected"].harmed) == (0, 0)
    comparison = {c.arm: c for c in compare(measures)}["verified"]
    assert comparison.precision == comparison.clean == 1
    assert comparison.p == pytest.approx(2 / 2**6)
    assert comparison.p_holm == pytest.approx(5 * 2 / 2**6)  # the smallest of five


def test_a_model_that_listens_is_corrected() -> None:
    def listens(prompt: str) -> Reply:
        return Reply("“Owl wool hat” is of wool.") if "wrong_with_it" in prompt else LIE

    found, _ = results(listens, [PACKET] * 4)
    assert found["corrected"].sources == {"corrected": 4}
    assert (found["corrected"].fixed, found["corrected"].harmed) == (1, 0)
    assert found["verified"].sources == {"template": 4}


def test_failures_count_as_zero_and_never_as_fine() -> None:
    def fails(prompt: str) -> Reply:
        raise LLMFailure(FailureKind.EMPTY, "empty text")

    found, _ = results(fails, [PACKET] * 3)
    assert (found["facts"].precision, found["facts"].recall, found["facts"].off_packet) == (0, 0, 1)
    assert found["facts"].sources == {"none": 3}
    assert found["verified"].precision == 1


def test_what_a_model_hangs_on_falls_more(toy: RecDataModule, shop: Knowledge, tmp_path) -> None:
    model = build("itemknn", toy)  # scores are sums over the history: the nearest item of it matters most
    pairs = frozen_sample(model, toy, 20, 0, tmp_path / "s.json")
    starts = [int(toy.catalog.offsets[toy.catalog.user_of(torch.tensor([p.row]))]) for p in pairs]
    batches = [
        batch_of(toy.catalog, p.row, [[row] for row in range(start, p.row)], toy.max_length)
        for p, start in zip(pairs, starts, strict=True)
    ]
    alone = [model.score(b)[:, p.recommendation.item] for b, p in zip(batches, pairs, strict=True)]
    most = [[p.recommendation.history[int(s.argmax())]] for p, s in zip(pairs, alone, strict=True)]
    least = [[p.recommendation.history[int(s.argmin())]] for p, s in zip(pairs, alone, strict=True)]
    assert np.nanmean(falls(model, toy, pairs, most)) > 0 > np.nanmean(falls(model, toy, pairs, least))
    assert np.isnan(falls(model, toy, pairs[:1], [[]])).all()


def test_cited_items_are_found_by_title(toy: RecDataModule, shop: Knowledge, tmp_path) -> None:
    pair = frozen_sample(build("itemknn", toy), toy, 4, 0, tmp_path / "s.json")[0]
    first, second = [i for i in dict.fromkeys(pair.recommendation.history) if " " in shop.title(i)][:2]
    assert set(cited_items(f"It is like {shop.title(first)}.", [shop.title(second)], pair, shop)) == {first, second}
    assert cited_items("It is fine.", [], pair, shop) == []


def test_histories_longer_than_the_window_keep_their_beginning(toy: RecDataModule) -> None:
    catalog = toy.catalog
    start = int(catalog.offsets[3])
    items, times = (column[start : start + 6].tolist() for column in (catalog.items, catalog.timestamp))
    batch = batch_of(catalog, start + 5, [[start, start + 1, start + 3], [start + 4]], 2)
    assert batch.items.tolist() == [[items[1], items[3]], [items[4], 0]]
    assert (batch.earlier.tolist(), batch.earlier_offsets.tolist()) == ([items[0]], [0, 1, 1])
    assert batch.user.tolist() == [3, 3]
    assert batch.clock.item_time[0].tolist() == [times[1], times[3]]
    assert batch.clock.query_time[0].tolist() == [times[3], times[5]]


def test_the_linker_catches_what_is_injected(toy: RecDataModule, shop: Knowledge, tmp_path) -> None:
    pairs = frozen_sample(build("itemknn", toy), toy, 30, 0, tmp_path / "s.json")
    packets = [build_packet(pair.recommendation, shop) for pair in pairs]
    rates = {r.kind: r for r in linker_rates(packets, Verifier(shop.vocabulary))}
    assert set(rates) >= {"brand", "material", "category", "collection", "price", "all"}
    assert rates["all"].passed == rates["all"].true > 100
    assert rates["all"].caught == rates["all"].false > 100


def test_sheet_hides_the_arm_and_escapes_the_catalogue(tmp_path) -> None:
    packet = replace(PACKET, title="<script>alert(1)</script>")
    nobody = write_arm("template", [packet], [None], Prompt(), Asker(None, None), Verifier())
    write_sheet(tmp_path, [packet], {"template": nobody, "facts": nobody})
    page, sheet = (tmp_path / "sheet.html").read_text(), (tmp_path / "sheet.csv").read_text()
    assert NOT_RUN in page
    assert NOT_RUN in sheet
    assert "<script>alert" not in page
    assert "template" not in page + sheet
    key = [line.split(",") for line in (tmp_path / "sheet_key.csv").read_text().splitlines()[1:]]
    assert [name for name, _ in key] == ["1A", "1B"]
    assert sorted(arm for _, arm in key) == ["facts", "template"]


def test_the_report_is_json_and_markdown() -> None:
    found, measures = results(lambda prompt: from_facts(PACKET), [PACKET] * 3)
    report = Report(list(found.values()), compare(measures), {"pairs": 3})
    assert json.loads(json.dumps(report.as_dict()))["arms"][0]["precision"] == 1
    lines = report.markdown().splitlines()
    assert len([line for line in lines if line.startswith("| LLM")]) == 2 * 5 - 1
    assert len({line.count("|") for line in lines[:8]}) == 1
