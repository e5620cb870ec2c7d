"""Free texts against the statements: the attack of `attack.py`, true paraphrases, and single rules."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mmrec.explain import evidence_of
from mmrec.explain.verify import Verdict, Verifier
from tests.explain.attack import FAMILIES
from tests.explain.cases import CASES

VERIFIERS = {name: Verifier(evidence_of(case.recommendation, case.knowledge)) for name, case in CASES.items()}
PARAPHRASES = yaml.safe_load(Path(__file__).with_name("paraphrases.yaml").read_text(encoding="utf-8"))


def judge(case: str, text: str) -> Verdict:
    return VERIFIERS[case](text)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_of_false_texts_does_not_pass(family):
    texts = FAMILIES[family]
    assert len({text for _, text in texts}) >= 40
    passed = [text for case, text in texts if judge(case, text).ok]
    assert len(passed) <= 0.02 * len(texts), passed


def test_true_paraphrases_pass():
    texts = [(case, text) for case, of_case in PARAPHRASES.items() for text in of_case]
    assert len(texts) >= 150
    refused = [text for case, text in texts if not judge(case, text).ok]
    assert len(refused) <= 0.1 * len(texts), refused


def test_a_true_text_stays_true_only_as_long_as_it_is_whole():
    text = "The Long Shadow was directed by Ana Lopez, like Night Train."
    assert judge("films", text).ok
    for more in (" It won a prize.", " Buy it.", " It is not a comedy.", " Visit www.films.example."):
        verdict = judge("films", text + more)
        assert [sentence.violation is None for sentence in verdict.sentences][:1] == [True]
        assert not verdict.ok


def test_spans_name_the_statements_of_free_texts():
    evidence = evidence_of(CASES["films"].recommendation, CASES["films"].knowledge)
    (sentence,) = judge("films", "It was directed by Ana Lopez, like “Night Train”.").sentences
    said = {sentence.text[start:end]: evidence.by_id(name) for start, end, name in sentence.spans}
    assert said["Ana Lopez"].value == "Ana Lopez"
    assert "Night Train (1994)" in said["Night Train"].titles


@pytest.mark.parametrize(
    ("case", "true", "false"),
    [
        ("films", "It is by Ana Lopez, like Night Train.", "It is by Ana Lopez, like Glass Tower."),
        ("films", "It shares its genre, drama, with Quiet Harbour.", "It shares its genre, drama, with Night Train."),
        ("films", "Tom Reed and Mia Novak star in it.", "Ana Lopez and Mia Novak star in it."),
        ("films", "You watched two crime films.", "You watched three crime films."),
        ("films", "It is a crime film.", "It is a more crime film."),
        ("films", "You may like it because you watched Night Train.", "It is a drama because you watched Night Train."),
        ("films", "Night Train and The Long Shadow are crime films.", "Red Desert Sky and Night Train are crime."),
        ("lamps", "It costs 49 euros.", "It costs 49 dollars."),
        ("lamps", "It costs €49.", "It costs 49."),
        ("lamps", "It has 12 W.", "It costs 12 W."),
        ("fashion", "You have two dark blue items.", "You have two dark blue tops."),
        ("fashion", "The Basic tee is dark blue.", "The Basic tee is striped."),
        ("shop", "It is like the Marten collection hemp trousers.", "It is like the Lynx collection canvas hat."),
        ("beauty", "Like the Essie Base Coat, it is for nails.", "Like the Essie Base Coat, it is by OPI."),
    ],
)
def test_what_is_said_must_be_what_is_known(case, true, false):
    assert judge(case, true).violations == []
    assert not judge(case, false).ok


def test_a_text_that_would_hold_of_anything_does_not_pass():
    assert judge("films", "You may like it.").violations == ["it says nothing that is known of the item"]


def test_a_name_with_initials_ends_no_sentence():
    case = CASES["films"]
    evidence = evidence_of(case.recommendation, case.knowledge)
    renamed = [
        replace(s, value="P.J. Hogan") if s.value == "Ana Lopez" else s for s in evidence.statements
    ]  # fmt: skip
    verifier = Verifier(replace(evidence, statements=tuple(renamed)))
    assert verifier("It was directed by P.J. Hogan.").ok
    assert not verifier("It was directed by P.J. Hogan. It won a prize.").ok
    assert not verifier("It was directed by P.J. Cannon.").ok


def test_violations_say_where_the_text_leaves_the_statements():
    (violation,) = judge("films", "It is a crime film with a surprising end.").violations
    assert "from “surprising end.” on" in violation


@given(st.text(max_size=120))
def test_any_text_can_be_judged(text):
    verdict = judge("shop", text)
    assert verdict.ok == (not verdict.violations)


SALAD = "it is like the crime film by ana lopez and , not 1997 night train you watched".split()  # noqa: SIM905


@given(st.lists(st.sampled_from(SALAD)))
def test_word_salad_is_judged_in_time(words):
    judge("films", " ".join(words))
