"""The evaluation against models whose texts are known to be right or wrong."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from mmrec.data.datamodule import RecDataModule
from mmrec.data.schema import Split
from mmrec.errors import UserError
from mmrec.explain import Knowledge, Packet, evidence_of
from mmrec.explain.asker import Asker
from mmrec.explain.evaluation.arms import ARMS, Case, shown_instead, write_arm
from mmrec.explain.evaluation.faithfulness import batch_of, cited_items, falls
from mmrec.explain.evaluation.judge import RuleJudge
from mmrec.explain.evaluation.measures import distinct, measure, reading_ease, same_text_share
from mmrec.explain.evaluation.probe import verifier_rates
from mmrec.explain.evaluation.report import Report, arm_result, compare
from mmrec.explain.evaluation.sample import frozen_sample
from mmrec.explain.evaluation.sheet import write_sheet
from mmrec.explain.llm import FailureKind, LLMFailure, Reply
from mmrec.explain.packet import HistoryItem
from mmrec.explain.writing.prompt import Prompt
from mmrec.explain.writing.writer import Question
from tests.contracts.conftest import build
from tests.explain.cases import CASES

PACKET = Packet(
    "Owl wool hat",
    {"brand": ["Miro"], "material": ["wool"], "price": ["$12.00"]},
    history=[HistoryItem("Fox wool shirt", {"material": ["wool"]})],
    history_size=3,
)
LIE = Reply({"explanation": "It is a Casa Verde hat of tweed from 1987, and you bought Gone with the Wind."})
FILMS = CASES["films"]
QUESTION = Question(FILMS.packet, evidence_of(FILMS.recommendation, FILMS.knowledge))
JUDGE = RuleJudge(v for facts in FILMS.knowledge.all_facts() for values in facts.values() for v in values)
PROMPTS = {way: Prompt(way=way) for way in ("grounded", "free")}


class Says:
    """Answers by a function of the prompt."""

    name, settings, concurrency = "says", {}, 2

    def __init__(self, answer):
        self.answer = answer

    def digest(self):
        return "d"

    def generate(self, prompt, schema, images=()):
        if "reasons" in schema["properties"]:
            return Reply({"reasons": schema["properties"]["reasons"]["items"]["enum"][1:2], "tone": "warm"})
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


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("Like “Fox wool shirt”, it is made of wool by Miro.", ()),
        ("It costs $12.00, and 3 items of your history are wool.", ()),
        ("It is made of tweed.", ("tweed",)),
        ("It costs €12.00.", ("€12.00",)),
        ("You bought “Elk hat”.", ("Elk hat",)),
        ("It is by Nike.", ("Nike",)),
        ("It is not wool.", ("not",)),
        ("Everybody says it is the best: visit www.miro.com!", ("Everybody", "says", "best", "visit", "www")),
        ("You bought 14 of them.", ("14",)),
    ],
)
def test_the_judge_finds_what_the_packet_does_not_have(text, wrong):
    assert RuleJudge(["tweed", "wool", "silk"])(text, PACKET).wrong == wrong


def test_the_judge_shares_no_code_with_the_verifier():
    import ast
    import inspect

    from mmrec.explain.evaluation import judge

    tree = ast.parse(inspect.getsource(judge))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= {"__future__", "collections.abc", "dataclasses", "mmrec.explain.packet"}


def test_measures_of_one_text() -> None:
    text = "Like “Night Train”, it was directed by Ana Lopez. It won a prize in 1985."
    measures = measure(text, [2], QUESTION.packet, QUESTION.evidence, JUDGE)
    assert (measures.sentences, measures.entailed, measures.cited, measures.history) == (2, 1, 1, 4)
    assert measures.units - measures.supported == 2
    assert not measures.clean
    failed = measure("", [], QUESTION.packet, QUESTION.evidence, JUDGE)
    assert (failed.units, failed.supported, failed.named, failed.failed, failed.clean) == (1, 0, 0, True, False)


def test_diversity_and_readability() -> None:
    assert distinct(["a b a", "a b"], 1) == 2 / 5
    assert distinct(["a b a", "a b"], 2) == 2 / 3
    assert same_text_share(["One.", "One.", "Two.", ""]) == 2 / 3
    plain, heavy = "The cat sat on the mat.", "Multimodal recommendation necessitates evaluation."
    assert reading_ease(plain) > 100 > reading_ease(heavy)


def test_arms_show_their_statements() -> None:
    other = Question(CASES["shop"].packet, evidence_of(CASES["shop"].recommendation, CASES["shop"].knowledge))
    packet, evidence = shown_instead([QUESTION], "none")[0]
    assert (packet.title, packet.facts, packet.history[0].shared, evidence.statements) == (
        "Long Shadow, The (1997)", {}, {}, (),
    )  # fmt: skip
    shuffled = shown_instead([QUESTION, other], "shuffled")
    assert [e.statements for _, e in shuffled] == [other.evidence.statements, QUESTION.evidence.statements]
    assert [p.title for p, _ in shuffled] == [QUESTION.packet.title, other.packet.title]


def results(answer, count):
    case = Case([QUESTION] * count, PROMPTS, Asker(Says(answer), None))
    found, measures = {}, {}
    for name in ARMS:
        written = write_arm(name, case)
        measures[name] = [measure(w.text, [], QUESTION.packet, QUESTION.evidence, JUDGE) for w in written]
        found[name] = arm_result(name, written, measures[name], [float("nan")] * count)
    return found, measures


def test_a_liar_ends_in_the_grammar() -> None:
    found, measures = results(lambda prompt: LIE, 6)
    assert found["free"].precision < 0.5
    assert found["free"].entailed == 0
    assert found["free"].sources == {"llm": 6}
    for arm in ("verified", "corrected", "facts"):
        assert (found[arm].precision, found[arm].entailed, found[arm].clean) == (1, 1, 1)
        assert found[arm].sources == {"facts": 6}
    assert found["corrected"].fixed == 0
    comparison = {c.arm: c for c in compare(measures)}["verified"]
    assert comparison.clean == 1
    assert comparison.p == pytest.approx(2 / 2**6)
    assert comparison.p_holm == pytest.approx(6 * 2 / 2**6)  # the smallest of six


def test_a_plan_says_nothing_wrong_whatever_the_model_is() -> None:
    found, _ = results(lambda prompt: LIE, 3)
    assert (found["grounded"].valid, found["grounded"].precision, found["grounded"].entailed) == (1, 1, 1)
    assert found["grounded"].sources == {"llm": 3}


def test_a_model_that_listens_is_corrected() -> None:
    def listens(prompt: str) -> Reply:
        true = Reply({"explanation": "It was directed by Ana Lopez, like Night Train."})
        return true if "wrong_with" in prompt else LIE

    found, _ = results(listens, 4)
    assert found["corrected"].sources == {"corrected": 4}
    assert found["corrected"].fixed == 1
    assert found["verified"].sources == {"facts": 4}


def test_failures_count_as_zero_and_never_as_fine() -> None:
    def fails(prompt: str) -> Reply:
        raise LLMFailure(FailureKind.EMPTY, "empty text")

    found, _ = results(fails, 3)
    assert (found["free"].precision, found["free"].recall, found["free"].clean) == (0, 0, 0)
    assert found["free"].sources == {"none": 3}
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


def test_the_verifier_separates_users_of_the_toy_shop(toy: RecDataModule, shop: Knowledge, tmp_path) -> None:
    pairs = frozen_sample(build("itemknn", toy), toy, 30, 0, tmp_path / "s.json")
    rates = verifier_rates([evidence_of(pair.recommendation, shop) for pair in pairs])
    assert rates.accepted >= 0.95 * rates.own
    assert rates.caught >= 0.95 * rates.others


def test_sheet_hides_the_arm_and_escapes_the_catalogue(tmp_path) -> None:
    packet = replace(PACKET, title="<script>alert(1)</script>")
    write_sheet(tmp_path, [packet], {"facts": ["It is a hat."], "grounded": ["A hat."]})
    page, sheet = (tmp_path / "sheet.html").read_text(), (tmp_path / "sheet.csv").read_text()
    assert "not rated yet" in page
    assert "not rated yet" in sheet
    assert "<script>alert" not in page
    assert "grounded" not in page + sheet
    key = [line.split(",") for line in (tmp_path / "sheet_key.csv").read_text().splitlines()[1:]]
    assert [name for name, _ in key] == ["1A", "1B"]
    assert sorted(arm for _, arm in key) == ["facts", "grounded"]


def test_the_report_is_json_and_markdown() -> None:
    found, measures = results(lambda prompt: LIE, 3)
    report = Report(list(found.values()), compare(measures), {"pairs": 3})
    assert json.loads(json.dumps(report.as_dict()))["arms"][0]["precision"] == 1
    lines = report.markdown().splitlines()
    assert len([line for line in lines if line.startswith("| LLM")]) == 2 * len(ARMS) - 3
    assert len({line.count("|") for line in lines[: 2 + len(ARMS)]}) == 1
