import dataclasses

import pytest

from mmrec.explain import Kind, Statement, evidence_of
from mmrec.explain.facts import is_telling, kind_of
from mmrec.explain.statements import rank_statements
from mmrec.explain.verify import Verifier
from tests.explain.cases import CASES


def statements(case: str, **changes: object) -> dict[tuple[str, str], Statement]:
    recommendation = dataclasses.replace(CASES[case].recommendation, **changes)
    return {(kind_of(s.name), s.value): s for s in evidence_of(recommendation, CASES[case].knowledge).statements}


def test_statements_are_true_by_construction():
    for case in CASES.values():
        knowledge, history = case.knowledge, range(2, 2 + case.history)
        titles = {knowledge.title(item): knowledge.facts(item) for item in history}
        for statement in evidence_of(case.recommendation, knowledge).statements:
            assert set(statement.titles) <= set(titles)
            if statement.kind in (Kind.SHARED, Kind.ATTRIBUTE):
                assert statement.value in knowledge.facts(1)[statement.name]
                sharing = [t for t, facts in titles.items() if statement.value in facts.get(statement.name, [])]
                assert sorted(sharing) == sorted(statement.titles)
                assert statement.count == len(sharing)


def test_a_fact_of_the_whole_catalogue_tells_nothing_and_a_rare_one_much():
    shop = statements("shop")
    assert shop["category", "Clothing"].telling == 0
    assert shop["material", "corduroy"].telling > shop["price", "$56.99"].telling > 0


def test_ids_follow_the_rank():
    made = evidence_of(CASES["films"].recommendation, CASES["films"].knowledge).statements
    assert [s.id for s in made] == [f"s{place}" for place in range(1, len(made) + 1)]
    assert [s.telling for s in made] == sorted((s.telling for s in made), reverse=True)
    assert rank_statements(reversed(made)) == list(made)


def test_attribution_by_deletion_decides_between_equal_facts():
    by_train = statements("films", falls=(2.0, 0.0, 0.0, 0.1))
    moved = dataclasses.replace(CASES["films"].recommendation, falls=(2.0, 0.0, 0.0, 0.1))
    by_harbour = statements("films", falls=(0.0, 2.0, 0.0, 0.1))
    director, actor = ("director", "Ana Lopez"), ("actor", "Mia Novak")
    assert by_train[director].telling > by_train[actor].telling
    assert by_harbour[director].telling < by_harbour[actor].telling
    assert by_train["genre", "Crime"].titles[0] == "Night Train (1994)"
    influence = [s for s in evidence_of(moved, CASES["films"].knowledge).statements if s.kind is Kind.INFLUENCE]
    assert [s.titles for s in influence] == [("Night Train (1994)",)]


def test_an_item_that_occurs_twice_has_one_influence():
    evidence = evidence_of(
        dataclasses.replace(CASES["films"].recommendation, history=[2, 3, 2], falls=(0.0, 0.1, 0.9)),
        CASES["films"].knowledge,
    )
    influence = [s.text for s in evidence.statements if s.kind is Kind.INFLUENCE]
    assert influence == ["Of all that you watched, Night Train (1994) counts most for this."]


CLOSENESS = {
    ("text", "image"): "By its text and image it is close to Strap top.",
    ("text",): "By its text it is close to Strap top.",
    ("image",): "By its image it is close to Strap top.",
    (): "The model holds it close to Strap top.",
}


@pytest.mark.parametrize("modalities", CLOSENESS)
def test_an_item_is_close_by_what_the_model_reads(modalities):
    fashion = CASES["fashion"]
    evidence = evidence_of(dataclasses.replace(fashion.recommendation, modalities=modalities), fashion.knowledge)
    assert [s.text for s in evidence.statements if s.kind is Kind.NEIGHBOUR] == [CLOSENESS[modalities]]
    verifier = Verifier(evidence)
    assert {text for text in CLOSENESS.values() if verifier(text).ok} == {CLOSENESS[modalities], CLOSENESS[()]}


def test_an_item_is_not_close_by_an_image_that_is_missing(knowledge, recommendation):
    reads_both = dataclasses.replace(recommendation, modalities=("text", "image"))
    near = [s for s in evidence_of(reads_both, knowledge).statements if s.kind is Kind.NEIGHBOUR]
    assert [s.text for s in near] == ["By its text it is close to Quiet Harbour."]


def test_recent_items_count_more_where_attribution_was_not_measured():
    made = statements("films")
    assert made["actor", "Mia Novak"].telling > made["director", "Ana Lopez"].telling


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("colour_group_name", "colour"), ("product_type_name", "type"), ("genres", "genre"), ("Color", "colour"),
        ("graphical_appearance_name", "pattern"), ("actors", "actor"), ("manufacturer", "brand"), ("power", "power"),
    ],
)  # fmt: skip
def test_kinds_by_the_names_that_catalogues_use(name, kind):
    assert kind_of(name) == kind


@pytest.mark.parametrize(
    ("name", "value"),
    [("article_id", "0108775015"), ("product_code", "x"), ("brand", "unknown"), ("url", "https://a.b"), ("x", "…"),
     ("summary", "word " * 20), ("ref", "B00469XYZ12")],
)  # fmt: skip
def test_ids_and_placeholders_are_not_statements(name, value):
    assert not is_telling(name, value)
