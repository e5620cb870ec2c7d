import dataclasses
import re

import pytest

from mmrec.explain import Evidence, Kind, Statement, build_packet, evidence_of
from mmrec.explain.evaluation.judge import RuleJudge
from mmrec.explain.names import shown_title, with_article
from mmrec.explain.verify import Verifier
from mmrec.explain.writing.grammar import Sentence, write
from mmrec.explain.writing.grounded import choices
from mmrec.explain.writing.plan import Plan, default_plan
from tests.explain.cases import CASES, Case
from tests.explain.cases_more import MORE_CASES

SEEDS = 16


def written(evidence: Evidence, plan: Plan | None = None) -> list[Sentence]:
    return write(plan or default_plan(evidence), evidence)


def variants() -> list[tuple[str, Evidence, list[Sentence]]]:
    """Return texts of all cases in several wordings, of default plans and of every pair of statements."""
    made = []
    for name, case in (CASES | MORE_CASES).items():
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


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("books", "You read “The Glass Orchard”; here is another mystery book written by Marta Quill."),
        (
            "games",
            "You played “Crown of Nettles” and “Ember Caravan”; here is another strategy game published by Northgate.",
        ),
        (
            "groceries",
            "Like “Soja Sol Soy Drink Unsweetened” and “Alder Valley Organic Almond Drink”, which you bought, this "
            "item is in the category dairy alternatives. It also has the label Vegan, like “Casa Lupo Organic Passata” "
            "and “Fjordkorn Rolled Oats”.",
        ),
        (
            "albums",
            "You played “Paper Antlers” and “Slow Meridian”; here is another indie folk album with the label "
            "Tin Harbor Records. It also comes from Canada, like “Static Bloom”.",
        ),
        (
            "videos",
            "The title of this item has the word “scratch”, like that of “Sourdough from scratch, day 1”, which you "
            "chose. Overall, it resembles “5 noodle soups in under 10 minutes”.",
        ),
    ],
)
def test_catalogues_of_other_kinds_are_explained_in_their_words(name, text):
    case = MORE_CASES[name]
    evidence = dataclasses.replace(evidence_of(case.recommendation, case.knowledge), seed=1)
    assert " ".join(sentence.text for sentence in written(evidence)) == text


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


def test_influence_is_claimed_only_among_the_items_it_was_measured_of():
    case = CASES["films"]
    newest = dataclasses.replace(case.recommendation, falls=(0.1, 3.0, 0.1))  # the oldest of four was not removed
    evidence, packet = evidence_of(newest, case.knowledge), build_packet(newest, case.knowledge)
    true = "Of the last 3 films that you watched, “Red Desert Sky” counts most for this."
    for seed in range(8):
        varied = dataclasses.replace(evidence, seed=seed)
        assert written(varied)[-1].text == true
    assert Verifier(evidence)(true).ok
    assert RuleJudge()(true, packet).wrong == ()
    for false in (
        "Of all that you watched, “Red Desert Sky” counts most for this.",
        "“Red Desert Sky”, which you watched, played the largest part in this choice.",
        "“Red Desert Sky”, which you watched, played a large part in this choice as well.",
        "Of the last 4 films that you watched, “Red Desert Sky” counts most for this.",
        "Of the last 3 films that you watched, “Glass Tower” counts most for this.",
    ):
        assert not Verifier(evidence)(false).ok
        assert RuleJudge()(false, packet).wrong


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
    read = dataclasses.replace(recommendation, item=1, history=[2], neighbours=[], falls=(0.3,))
    alone = evidence_of(read, knowledge)
    text = " ".join(sentence.text for sentence in written(alone))
    assert "“Quiet Harbour”" in text
    assert "crime film" in text
    unread = evidence_of(dataclasses.replace(read, falls=(0.0,)), knowledge)
    assert " ".join(sentence.text for sentence in written(unread)) == "This film is a crime film and from 1994."
    new = evidence_of(dataclasses.replace(recommendation, history=[], neighbours=[]), knowledge)
    assert all(s.kind in (Kind.ATTRIBUTE, Kind.IMAGE) for s in new.statements)
    assert "was directed by Ana Lopez" in written(new)[0].text


UNTITLED = ("", "", {"brand": "Acme", "colour": "Red"}, ["blue"])
FILLERS = [("", "", {"brand": f"B{place}", "colour": "Green"}, []) for place in range(9)]


@pytest.mark.parametrize("count", [1, 2])
def test_what_items_without_a_title_share_is_a_reason(count):
    case = Case(
        "untitled",
        [("Lamp", "", {"brand": "Acme", "colour": "Red"}, ["blue"]), *[UNTITLED] * count, *FILLERS],
        count,
        [],
        {},
    )
    evidence = evidence_of(case.recommendation, case.knowledge)
    for text in texts_of(evidence):
        assert text.endswith(f"like {'one item' if count == 1 else '2 items'} that you bought.")
        assert Verifier(evidence)(text).ok
        assert not Verifier(evidence)(text.replace("like one item", "like 3 items").replace("like 2", "like 3")).ok
    photo = next(s for s in evidence.statements if s.kind is Kind.SHARED_IMAGE)
    seen = " ".join(sentence.text for sentence in written(evidence, Plan((photo.id,))))
    assert Verifier(evidence)(seen).violations == []


def test_that_the_user_has_an_item_comes_last():
    evidence = evidence_of(CASES["shop"].recommendation, CASES["shop"].knowledge)
    price, hat = (next(s.id for s in evidence.statements if s.kind is kind) for kind in (Kind.ATTRIBUTE, Kind.HISTORY))
    for plan in (Plan((hat, price)), Plan((price, hat))):
        text = " ".join(sentence.text for sentence in written(evidence, plan))
        assert Verifier(evidence)(text).violations == [], text


def test_an_item_is_no_evidence_for_itself():
    case = CASES["shop"]
    bought = dataclasses.replace(case.recommendation, history=[2, 3, 1, 4], neighbours=[1], falls=(0.1, 0.1, 3.0, 0.1))
    evidence, packet = evidence_of(bought, case.knowledge), build_packet(bought, case.knowledge)
    title = case.knowledge.title(1)
    assert not [s for s in evidence.statements if title in s.titles or s.kind is Kind.INFLUENCE]
    assert title not in (*(item.title for item in packet.history), *packet.neighbours, *packet.influence)
    assert not Verifier(evidence)("You bought two corduroy items.").ok  # it is one of them, and is not counted


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


def test_a_pair_is_called_they_whatever_its_title_is():
    items = [
        ("Jade slim", "a finished seam", {"type": "Trousers", "colour": "Blue", "brand": "Zed"}, []),
        ("Ibex shirt", "finished", {"type": "Shirt", "colour": "Blue", "brand": "Acme"}, []),
        ("Otter cap", "a cap", {"type": "Cap", "colour": "Red", "brand": "Zed"}, []),
        *FILLERS,
    ]
    case = Case("pair", items, 2, [], {})
    evidence = evidence_of(case.recommendation, case.knowledge)
    ids = [s.id for s in evidence.statements]
    for plan in (Plan((a, b)) for a in ids for b in ids if a != b):
        text = " ".join(sentence.text for sentence in written(evidence, plan))
        assert Verifier(evidence)(text).violations == [], text


def test_articles():
    assert [with_article(noun) for noun in ("vest top", "orange hat", "leather shoes")] == [
        "a vest top", "an orange hat", "a pair of leather shoes",
    ]  # fmt: skip


def evidence_with(case: str, *statements: Statement, **changes: object) -> Evidence:
    """Return the evidence of a case with other statements, the history's kept."""
    evidence = evidence_of(dataclasses.replace(CASES[case].recommendation, **changes), CASES[case].knowledge)
    history = tuple(s for s in evidence.statements if s.kind is Kind.HISTORY)
    return dataclasses.replace(evidence, statements=(*statements, *history)) if statements else evidence


def texts_of(evidence: Evidence) -> set[str]:
    varied = (dataclasses.replace(evidence, seed=seed) for seed in range(SEEDS))
    return {" ".join(sentence.text for sentence in written(one)) for one in varied}


def test_how_many_others_share_a_fact_is_not_told():
    titles = ("Night Train (1994)", "Glass Tower (1990)")
    crime = Statement("f1", Kind.SHARED, "", "genres", "Crime", titles, 31, 1.0)
    for text in texts_of(evidence_with("films", crime)):
        assert "“Glass Tower”" in text
        assert not re.search(r"\d|other(s|$)| one other", text)


def test_an_image_comes_after_a_fact_that_tells_something():
    blue = Statement("f1", Kind.SHARED_IMAGE, "", "image", "blue", ("Moose collection wool hat",), 1, 1.0)
    made = Statement("f2", Kind.SHARED, "", "brand", "Atelier Nine", ("Moose collection cotton shoes",), 1, 0.5)
    assert default_plan(evidence_with("shop", blue, made)).statements == ("f2", "f1")
    weak = dataclasses.replace(made, telling=0.01)
    assert default_plan(evidence_with("shop", blue, weak)).statements == ("f1",)


def test_an_item_that_counts_most_is_named_with_what_it_shares():
    evidence = evidence_with("films", falls=(0.1, 3.0, 0.1, 2.9))  # Quiet Harbour and Glass Tower
    shared = {"Quiet Harbour": ("1997", "drama", "Mia Novak"), "Glass Tower": ("crime", "city")}
    assert len(texts_of(evidence)) > 3
    for seed in range(SEEDS):
        sentences = [s.text for s in written(dataclasses.replace(evidence, seed=seed))]
        for title, facts in shared.items():
            assert any(title in text and any(fact in text for fact in facts) for text in sentences), sentences
        assert not any("counts most" in text or "part in this choice" in text for text in sentences)
    assert not any(s.kind is Kind.INFLUENCE for s in choices(evidence))


def test_items_that_readers_cannot_tell_apart_are_named_once():
    titles = ("Sorrel", "Sorrel (1)")
    dress = Statement("f1", Kind.SHARED, "", "colour_group_name", "Dark Blue", titles, 2, 1.0)
    assert all(text.count("Sorrel") == 1 for text in texts_of(evidence_with("fashion", dress)))


def test_genres_and_names_read_well():
    both = [
        Statement(f"f{place}", Kind.SHARED, "", "genres", genre, ("Night Train (1994)",), 1, 1.0)
        for place, genre in enumerate(("Animation", "Children's"))
    ]
    assert any("another animated children's film" in text.lower() for text in texts_of(evidence_with("films", *both)))
    one = Statement("f1", Kind.SHARED, "", "collection", "robin", ("Robin collection corduroy shirt",), 1, 1.0)
    by = dataclasses.replace(one, id="f2", name="brand", value="Miro")
    texts = texts_of(evidence_with("shop", one, by))
    assert all("the Robin collection" in text and "and is by" not in text for text in texts)
