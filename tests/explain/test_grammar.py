import dataclasses
import re

import pytest

from mmrec.explain import Evidence, Kind, evidence_of
from mmrec.explain.verify import Verifier
from mmrec.explain.writing.grammar import Sentence, write
from mmrec.explain.writing.grounded import choices
from mmrec.explain.writing.names import shown_title, with_article
from mmrec.explain.writing.plan import Plan, default_plan
from tests.explain.cases import CASES

SEEDS = 40


def written(evidence: Evidence, plan: Plan | None = None) -> list[Sentence]:
    return write(plan or default_plan(evidence), evidence)


def variants() -> list[tuple[str, Evidence, list[Sentence]]]:
    """Return texts of all cases in several wordings, of default plans and of every pair of statements."""
    made = []
    for name, case in CASES.items():
        evidence = evidence_of(case.recommendation, case.knowledge)
        offered = [statement.id for statement in choices(evidence)]
        plans = [default_plan(evidence), *(Plan((a, b), "warm") for a in offered for b in offered if a != b)]
        for seed in range(SEEDS):
            varied = dataclasses.replace(evidence, seed=seed)
            made.append((name, varied, written(varied, plans[seed % len(plans)])))
    return made


def test_every_text_of_the_grammar_is_accepted_by_the_verifier_of_free_texts():
    for name, evidence, sentences in variants():
        text = " ".join(sentence.text for sentence in sentences)
        assert Verifier(evidence)(text).violations == [], (name, text)


def test_the_most_influential_item_is_named_even_if_it_shares_nothing():
    case = CASES["films"]
    moved = dataclasses.replace(case.recommendation, falls=(0.1, 0.1, 3.0, 0.1))  # Red Desert Sky
    evidence = evidence_of(moved, case.knowledge)
    endings = set()
    for seed in range(8):
        varied = dataclasses.replace(evidence, seed=seed)
        *_, last = written(varied)
        assert Verifier(varied)(last.text).ok
        assert not Verifier(varied)(last.text.replace("Red Desert Sky", "Quiet Harbour")).ok
        endings.add(last.text)
    assert endings == {
        "Of all that you watched, “Red Desert Sky” counts most for this.",
        "“Red Desert Sky”, which you watched, played the largest part in this choice.",
    }


def test_spans_cover_what_statements_support():
    for _, evidence, sentences in variants():
        for sentence in sentences:
            assert sentence.statements == tuple(dict.fromkeys(name for _, _, name in sentence.spans))
            assert all(0 <= start < end <= len(sentence.text) for start, end, _ in sentence.spans)
            assert all(a[1] <= b[0] for a, b in zip(sentence.spans, sentence.spans[1:], strict=False))
            bare = "".join(
                letter for place, letter in enumerate(sentence.text)
                if not any(start <= place < end for start, end, _ in sentence.spans)
            )  # fmt: skip
            values = {s.value.casefold() for s in evidence.statements if len(s.value) > 3} - {"top", "recent"}
            assert not [value for value in values if re.search(rf"\b{re.escape(value)}\b", bare.casefold())], bare


def test_texts_are_short_and_name_no_field():
    for _, evidence, sentences in variants():
        text = " ".join(sentence.text for sentence in sentences)
        assert len(sentences) <= 3
        assert len(text.split()) < 70
        names = {s.name for s in evidence.statements if "_" in s.name}
        assert not [name for name in names if name in text]
        assert not re.search(r"\bx\d\b", text)  # raw ids


def test_wordings_vary_with_user_and_item():
    case = CASES["films"]
    evidence = evidence_of(case.recommendation, case.knowledge)
    texts = {written(dataclasses.replace(evidence, seed=seed))[0].text for seed in range(SEEDS)}
    assert len(texts) >= 5
    assert written(evidence) == written(evidence)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("films", ["crime", "“Night Train”", "watched"]),
        ("fashion", ["dark blue", "the “Jade slim” trousers", "bought"]),
        ("shop", ["Atelier Nine", "another pair of trousers"]),
        ("beauty", ["by OPI", "“OPI Red Shatter Crackle”"]),
        ("lamps", ["Portugal", "by Lumen"]),
    ],
)
def test_the_default_text_gives_the_reasons_that_tell_most(case, words):
    evidence = evidence_of(CASES[case].recommendation, CASES[case].knowledge)
    text = " ".join(sentence.text for sentence in written(evidence))
    assert [word for word in words if word not in text] == []


def test_without_a_shared_fact_the_text_says_what_the_item_is(knowledge, recommendation):
    alone = evidence_of(dataclasses.replace(recommendation, item=1, history=[2], neighbours=[]), knowledge)
    text = " ".join(sentence.text for sentence in written(alone))
    assert "“Quiet Harbour”" in text
    assert "crime film" in text
    new = evidence_of(dataclasses.replace(recommendation, history=[], neighbours=[]), knowledge)
    assert all(s.kind in (Kind.ATTRIBUTE, Kind.IMAGE) for s in new.statements)
    assert "was directed by Ana Lopez" in written(new)[0].text


def test_nothing_known_is_said_in_a_sentence(knowledge, recommendation):
    bare = evidence_of(dataclasses.replace(recommendation, item=4, history=[], neighbours=[], signals={}), knowledge)
    assert written(bare) == [Sentence("No recorded fact explains this choice.")]


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Long Shadow, The (1997)", "The Long Shadow"),
        ("Calista (1)", "Calista"),
        ("CORY CORD SKIRT", "Cory Cord Skirt"),
        ("Gyda!", "Gyda"),
        ("(500) Days", "(500) Days"),
        ("Say “cheese”", "Say ′cheese′"),
        ("OPI Nail Lacquer, Simmer and Shimmer, 0.5-Fluid Ounce", "OPI Nail Lacquer"),
    ],
)
def test_titles_are_shown_as_a_reader_would_write_them(title, shown):
    assert shown_title(title) == shown


def test_articles():
    assert [with_article(noun) for noun in ("vest top", "orange hat", "leather shoes")] == [
        "a vest top", "an orange hat", "a pair of leather shoes",
    ]  # fmt: skip
