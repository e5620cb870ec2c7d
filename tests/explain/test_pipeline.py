import dataclasses
import json
import threading

import numpy as np
import pytest
import torch

from mmrec.errors import UserError
from mmrec.explain.llm import FailureKind, LLMFailure, Reply
from mmrec.explain.pipeline import ExplanationPipeline
from mmrec.explain.similarity import Similarity
from mmrec.explain.writing.writer import WritingOptions
from tests.explain.cases import CASES

PLAN = Reply({"reasons": ["s1", "s2"], "tone": "plain"})
TRUE = Reply({"explanation": "It is a crime drama by Ana Lopez, who also directed “Quiet Harbour”."})
FALSE = Reply({"explanation": "It won a prize in 1999, which everybody knows."})
HALF = Reply({"explanation": "It was directed by Ana Lopez, like Quiet Harbour. It won a prize in 1999."})
FREE = WritingOptions(way="free")


class Scripted:
    """Answers from a list; an exception in it is raised."""

    name = "scripted"
    concurrency = 1

    def __init__(self, *answers):
        self.answers = list(answers)
        self.prompts = []
        self.schemas = []
        self.settings = {}

    def digest(self):
        return "d0"

    def generate(self, prompt, schema, images=()):
        self.prompts.append(prompt)
        self.schemas.append(schema)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def run(knowledge, recommendations, path, *answers, **options):
    llm = Scripted(*answers) if answers else None
    summary = ExplanationPipeline(knowledge, llm, **options).run(recommendations, path / "out" / "x.jsonl")
    return summary, [json.loads(line) for line in summary.path.read_text().splitlines()], llm


def test_a_row_carries_everything(knowledge, recommendation, tmp_path, capfd):
    summary, (row,), llm = run(knowledge, [recommendation], tmp_path, PLAN)
    assert (row["source"], row["reason"], row["writing"]) == ("llm", None, "grounded")
    assert (row["user"], row["item"], row["rank"], row["score"]) == ("ann", "m3", 1, 0.83)
    assert (row["model"], row["digest"]) == ("scripted", "d0")
    assert row["prompt"] == llm.prompts[0]
    assert row["text"] == " ".join(sentence["text"] for sentence in row["sentences"])
    used = {name for sentence in row["sentences"] for name in sentence["statements"]}
    assert used == {"s1", "s2"}
    assert used <= {statement["id"] for statement in row["statements"]}
    assert all(sentence["text"][start:end] for sentence in row["sentences"] for start, end, _ in sentence["spans"])
    assert row["packet"]["neighbours"] == ["Quiet Harbour"]
    titles = {knowledge.raw_id(item): knowledge.title(item) for item in recommendation.history}
    assert [titles[item] for item in row["history"]] == [item["title"] for item in row["packet"]["history"]]
    assert set(row["cited_history"]) <= set(titles.values())
    assert summary.sources == {"llm": 1}
    assert summary.causes == {}
    assert capfd.readouterr() == ("", "")  # no terminal, no progress bar


def test_a_plan_can_name_only_statements_that_were_offered(knowledge, recommendation, tmp_path):
    _, (row,), llm = run(knowledge, [recommendation], tmp_path, Reply({"reasons": ["s99"], "tone": "plain"}))
    assert (row["source"], row["cause"]) == ("facts", "wrong schema")
    assert row["drafts"][0]["violations"] == ["wrong schema: 's99' is not the id of a statement"]
    offered = llm.schemas[0]["properties"]["reasons"]["items"]["enum"]
    assert offered == [s["id"] for s in row["statements"]][: len(offered)]


@pytest.mark.parametrize(
    "content",
    [{}, {"reasons": []}, {"reasons": "s1", "tone": "plain"}, {"reasons": [1], "tone": "plain"},
     {"reasons": ["s1"], "tone": "Buy it now"}, {"reasons": [["s1"]], "tone": "plain"}],
)  # fmt: skip
def test_whatever_a_plan_holds_nothing_else_is_said(content, knowledge, recommendation, tmp_path):
    _, (row,), _ = run(knowledge, [recommendation], tmp_path, Reply(content))
    _, (facts,), _ = run(knowledge, [recommendation], tmp_path)
    assert row["source"] == "facts"
    assert row["text"] == facts["text"]


def test_a_free_text_that_holds_is_kept_with_its_evidence(knowledge, recommendation, tmp_path):
    _, (row,), _ = run(knowledge, [recommendation], tmp_path, TRUE, options=FREE)
    assert (row["source"], row["writing"], row["drafts"]) == ("llm", "free", [])
    assert "Ana Lopez" in row["text"]
    assert row["sentences"][0]["statements"]
    assert row["cited_history"] == ["Quiet Harbour"]


@pytest.mark.parametrize("corrections", [0, 1, 2])
def test_corrections_are_bounded_and_end_in_the_grammar(corrections, knowledge, recommendation, tmp_path):
    answers = [Reply({"explanation": f"It won a prize in {year}."}) for year in range(2001, 2006)]
    options = WritingOptions(way="free", corrections=corrections)
    summary, (row,), llm = run(knowledge, [recommendation], tmp_path, *answers, options=options)
    assert row["source"] == "facts"
    assert len(row["drafts"]) == len(llm.prompts) == 1 + corrections
    assert summary.sources == {"facts": 1}


def test_a_correction_that_fails_keeps_both_reasons(knowledge, recommendation, tmp_path):
    empty = LLMFailure(FailureKind.EMPTY, "empty text")
    _, (row,), _ = run(knowledge, [recommendation], tmp_path, FALSE, empty, options=FREE)
    assert row["reason"].startswith("unverified: “It won a prize")
    assert row["reason"].endswith("; asked again: empty text")
    assert row["cause"] == "unverified"


def test_sentences_that_hold_are_kept_before_the_whole_text_falls_back(knowledge, recommendation, tmp_path):
    _, (row,), llm = run(knowledge, [recommendation], tmp_path, HALF, FALSE, options=FREE)
    assert (row["source"], row["cause"]) == ("corrected", "unverified")
    assert row["text"] == "It was directed by Ana Lopez, like Quiet Harbour."
    assert "prize" in llm.prompts[1]


def test_what_is_left_of_a_text_is_verified_again(tmp_path):
    films = CASES["films"]
    text = "You watched Red Desert Sky. You liked Night Train. It is a crime film, as is The Long Shadow."
    once = WritingOptions(way="free", corrections=0)
    answer = Reply({"explanation": text})
    _, (row,), _ = run(films.knowledge, [films.recommendation], tmp_path, answer, options=once)
    assert row["text"] == "You watched Red Desert Sky."


def test_a_corrected_text_is_taken_whole(knowledge, recommendation, tmp_path):
    _, (row,), _ = run(knowledge, [recommendation], tmp_path, HALF, TRUE, options=FREE)
    assert (row["source"], len(row["drafts"])) == ("corrected", 1)
    assert row["text"].startswith("It is a crime drama by Ana Lopez")


def test_without_a_model_the_grammar_writes(knowledge, recommendation, tmp_path):
    summary, rows, _ = run(knowledge, [recommendation] * 3, tmp_path)
    assert {(row["source"], row["writing"]) for row in rows} == {("facts", "facts")}
    assert summary.causes == {"no model given": 3}
    assert summary.model is None


def test_missing_images_are_counted(knowledge, recommendation, tmp_path):
    other = dataclasses.replace(recommendation, item=4)
    summary, _, _ = run(knowledge, [other, other], tmp_path)
    assert summary.unreadable_images == 1


def test_a_second_run_comes_from_the_cache(knowledge, recommendation, tmp_path):
    run(knowledge, [recommendation], tmp_path, PLAN)
    _, (row,), llm = run(knowledge, [recommendation], tmp_path, FALSE)
    assert (row["source"], row["cached"], llm.prompts) == ("llm", True, [])
    _, (row,), _ = run(knowledge, [recommendation], tmp_path, FALSE, cache=False)
    assert (row["source"], row["cached"]) == ("facts", False)


def test_a_broken_run_leaves_the_old_file(knowledge, recommendation, tmp_path):
    run(knowledge, [recommendation], tmp_path, PLAN)
    before = (tmp_path / "out" / "x.jsonl").read_text()
    with pytest.raises(KeyError):
        run(knowledge, [recommendation], tmp_path, KeyError(), cache=False)
    files = [path.name for path in (tmp_path / "out").iterdir() if path.is_file()]
    assert files == ["x.jsonl"]
    assert (tmp_path / "out" / "x.jsonl").read_text() == before


def test_wrong_options(knowledge):
    with pytest.raises(UserError, match="history_length=0"):
        ExplanationPipeline(knowledge, history_length=0)


def test_several_at_once_keep_their_order(knowledge, recommendation, tmp_path):
    together = threading.Barrier(3, timeout=20)  # passes only if three are asked at the same time

    class Three(Scripted):
        concurrency = 3

        def generate(self, prompt, schema, images=()):
            together.wait()
            return PLAN if "Long Shadow" in prompt else Reply({"reasons": ["s1"], "tone": "warm"})

    made = [dataclasses.replace(recommendation, item=1 + n % 3, history=[1, 2]) for n in range(9)]
    summary = ExplanationPipeline(knowledge, Three(), cache=False).run(made, tmp_path / "x.jsonl")
    items = [json.loads(line)["item"] for line in summary.path.read_text().splitlines()]
    assert items == [knowledge.raw_id(one.item) for one in made]


def test_a_text_far_from_the_user_is_asked_for_again(knowledge, recommendation, tmp_path):
    wants_crime = dataclasses.replace(recommendation, interest=np.array([1, 0], dtype=np.float32))
    near = Similarity(lambda texts: torch.tensor([[1.0 * ("crime" in text), 0.5] for text in texts]), "test")
    options = {"similarity": near, "options": WritingOptions(way="free", least_similarity=0.5)}
    far = Reply({"explanation": "It was directed by Ana Lopez, like Quiet Harbour."})
    _, (row,), llm = run(knowledge, [wants_crime], tmp_path, far, TRUE, **options)
    assert (row["source"], row["similarity"]) == ("corrected", pytest.approx(1 / 1.25**0.5, abs=1e-4))
    assert "little to do with the user's taste (similarity 0.00, at least 0.50)" in row["reason"]
    assert "at least 0.50" in llm.prompts[1]


def test_images_go_to_the_model(knowledge, recommendation, tmp_path):
    seen = []

    class Sees(Scripted):
        def generate(self, prompt, schema, images=()):
            seen.extend(images)
            return PLAN

    without = dataclasses.replace(recommendation, item=1)
    ExplanationPipeline(knowledge, Sees()).run([recommendation, without], tmp_path / "x.jsonl")
    assert [path.name for path in seen] == ["blue.png"]
