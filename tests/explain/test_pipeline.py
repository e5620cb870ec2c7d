import dataclasses
import json
import re
import threading

import numpy as np
import pytest
import torch

from mmrec.errors import UserError
from mmrec.explain import ExplanationPipeline, LLMFailure, Reply, Verifier
from mmrec.explain.likeness import Likeness
from mmrec.explain.llm import FailureKind
from mmrec.explain.packet import clean

TRUE = Reply("You liked “Night Train” and its Crime story.", ("Night Train (1994)",))
FALSE = Reply("It won a prize in 1999.")


class Scripted:
    """Answers from a list; an exception in it is raised."""

    name = "scripted"
    concurrency = 1

    def __init__(self, *answers):
        self.answers = list(answers)
        self.prompts = []
        self.settings = {}

    def digest(self):
        return "d0"

    def generate(self, prompt, images=()):
        self.prompts.append(prompt)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def run(knowledge, recommendations, path, *answers, **options):
    llm = Scripted(*answers) if answers else None
    summary = ExplanationPipeline(knowledge, llm, **options).run(recommendations, path / "out" / "x.jsonl")
    return summary, [json.loads(line) for line in summary.path.read_text().splitlines()], llm


def test_a_row_carries_everything(knowledge, recommendation, tmp_path, capfd):
    summary, (row,), llm = run(knowledge, [recommendation], tmp_path, TRUE)
    assert (row["source"], row["reason"], row["text"]) == ("llm", None, TRUE.explanation)
    assert (row["user"], row["item"], row["rank"], row["score"]) == ("ann", "m3", 1, 0.83)
    assert (row["model"], row["digest"]) == ("scripted", "d0")
    assert row["prompt"] == llm.prompts[0]
    assert row["packet"]["neighbours"] == ["Quiet Harbour"]
    titles = {knowledge.raw_id(item): knowledge.title(item) for item in recommendation.history}
    assert [titles[item] for item in row["history"]] == [item["title"] for item in row["packet"]["history"]]
    assert summary.sources == {"llm": 1}
    assert summary.causes == {}
    assert capfd.readouterr() == ("", "")  # no terminal, no progress bar


def test_a_false_reply_is_asked_for_again(knowledge, recommendation, tmp_path):
    summary, (row,), llm = run(knowledge, [recommendation], tmp_path, FALSE, TRUE)
    assert (row["source"], row["text"]) == ("corrected", TRUE.explanation)
    assert row["reason"] == "unverified: year 1999 contradicts the facts (1997)"
    assert row["drafts"] == [{"text": FALSE.explanation, "violations": ["year 1999 contradicts the facts (1997)"]}]
    assert "1999" in llm.prompts[1].removeprefix(llm.prompts[0])
    assert summary.causes == {"unverified": 1}


@pytest.mark.parametrize("corrections", [0, 1, 2])
def test_corrections_are_bounded_and_end_in_the_template(corrections, knowledge, recommendation, tmp_path):
    answers = [Reply(f"It won a prize in {year}.") for year in range(2001, 2006)]
    summary, (row,), llm = run(knowledge, [recommendation], tmp_path, *answers, corrections=corrections)
    assert row["source"] == "template"
    assert len(row["drafts"]) == len(llm.prompts) == 1 + corrections
    assert summary.sources == {"template": 1}


def test_a_correction_that_fails_keeps_both_reasons(knowledge, recommendation, tmp_path):
    empty = LLMFailure(FailureKind.EMPTY, "empty text")
    _, (row,), _ = run(knowledge, [recommendation], tmp_path, FALSE, empty)
    assert row["reason"] == "unverified: year 1999 contradicts the facts (1997); asked again: empty text"
    assert row["cause"] == "unverified"


def test_without_a_model_the_facts_speak(knowledge, recommendation, tmp_path):
    summary, rows, _ = run(knowledge, [recommendation] * 3, tmp_path)
    assert {row["source"] for row in rows} == {"template"}
    assert summary.causes == {"no model given": 3}
    assert summary.model is None


def test_missing_images_are_counted(knowledge, recommendation, tmp_path):
    other = dataclasses.replace(recommendation, item=4)
    summary, _, _ = run(knowledge, [other, other], tmp_path)
    assert summary.unreadable_images == 1


def test_a_second_run_comes_from_the_cache(knowledge, recommendation, tmp_path):
    run(knowledge, [recommendation], tmp_path, TRUE)
    _, (row,), llm = run(knowledge, [recommendation], tmp_path, FALSE)
    assert (row["source"], row["cached"], llm.prompts) == ("llm", True, [])
    _, (row,), _ = run(knowledge, [recommendation], tmp_path, FALSE, cache=False, corrections=0)
    assert (row["source"], row["cached"]) == ("template", False)


def test_a_broken_run_leaves_the_old_file(knowledge, recommendation, tmp_path):
    run(knowledge, [recommendation], tmp_path, TRUE)
    with pytest.raises(KeyError):
        run(knowledge, [recommendation], tmp_path, KeyError(), cache=False)
    files = [path.name for path in (tmp_path / "out").iterdir() if path.is_file()]
    assert files == ["x.jsonl"]
    assert "Crime story" in (tmp_path / "out" / "x.jsonl").read_text()


def test_another_verifier_takes_part(knowledge, recommendation, tmp_path):
    def strict(text, packet, cited):
        return Verifier()(text + " It is from 2050.", packet, cited)

    _, (row,), _ = run(knowledge, [recommendation], tmp_path, TRUE, TRUE, verifier=strict)
    assert row["source"] == "template"


def test_wrong_options(knowledge):
    with pytest.raises(UserError, match="history_length=0"):
        ExplanationPipeline(knowledge, history_length=0)


def test_several_at_once_keep_their_order(knowledge, recommendation, tmp_path):
    together = threading.Barrier(3, timeout=20)  # passes only if three are asked at the same time

    class Three(Scripted):
        concurrency = 3

        def generate(self, prompt, images=()):
            together.wait()
            title = json.loads(re.search(r'{"title": ".*?"}', prompt)[0])["title"]
            return Reply(f"“{title}” is fine.")

    made = [dataclasses.replace(recommendation, item=1 + n % 3, history=[]) for n in range(9)]
    summary = ExplanationPipeline(knowledge, Three(), cache=False).run(made, tmp_path / "x.jsonl")
    texts = [json.loads(line)["text"] for line in summary.path.read_text().splitlines()]
    assert texts == [f"“{clean(knowledge.title(r.item))}” is fine." for r in made]


def test_a_text_far_from_the_user_is_asked_for_again(knowledge, recommendation, tmp_path):
    wants_crime = dataclasses.replace(recommendation, interest=np.array([1, 0], dtype=np.float32))
    near = Likeness(lambda texts: torch.tensor([[1.0 * ("Crime" in text), 0.5] for text in texts]), "test")
    options = {"likeness": near, "least_likeness": 0.5}
    _, (row,), llm = run(knowledge, [wants_crime], tmp_path, Reply("It is by Ana Lopez."), TRUE, **options)
    assert (row["source"], row["text"]) == ("corrected", TRUE.explanation)
    assert row["likeness"] == pytest.approx(1 / 1.25**0.5, abs=1e-4)
    assert "little to do with the user's taste (likeness 0.00, at least 0.50)" in row["reason"]
    assert "at least 0.50" in llm.prompts[1]


def test_pictures_go_to_the_model(knowledge, recommendation, tmp_path):
    seen = []

    class Sees(Scripted):
        def generate(self, prompt, images=()):
            seen.extend(images)
            return TRUE

    without = dataclasses.replace(recommendation, item=1)
    ExplanationPipeline(knowledge, Sees()).run([recommendation, without], tmp_path / "x.jsonl")
    assert [path.name for path in seen] == ["blue.png"]
