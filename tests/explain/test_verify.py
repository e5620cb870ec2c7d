"""Free texts against the statements: the attack of `attack.py`, true paraphrases, and single rules."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mmrec.explain import evidence_of
from mmrec.explain.statements import MAX_HISTORY
from mmrec.explain.verify import Verdict, Verifier
from tests.explain.attack import FAMILIES
from tests.explain.cases import CASES, Case, Item
from tests.explain.cases_more import MORE_CASES

VERIFIERS = {
    name: Verifier(evidence_of(case.recommendation, case.knowledge)) for name, case in (CASES | MORE_CASES).items()
}


def table(name: str) -> dict[str, list[str]]:
    return yaml.safe_load(Path(__file__).with_name(name).read_text(encoding="utf-8"))


PARAPHRASES, OTHER_PARAPHRASES, THIRD_PARAPHRASES = (table(f"paraphrases{n}.yaml") for n in ("", 2, 3))
OUTSIDER, ANSWERS = table("outsider.yaml"), table("answers.yaml")
BY_CASE = table("attack3.yaml") | table("attack4.yaml")


def judge(case: str, text: str) -> Verdict:
    return VERIFIERS[case](text)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_of_false_texts_does_not_pass(family):
    texts = FAMILIES[family]
    assert len({text for _, text in texts}) >= 40
    passed = [text for case, text in texts if judge(case, text).ok]
    assert len(passed) <= 0.02 * len(texts), passed


@pytest.mark.parametrize("family", OUTSIDER)
def test_a_family_of_false_texts_by_another_author_does_not_pass(family):
    texts = [(name, text.format(**case.words)) for name, case in CASES.items() for text in OUTSIDER[family]]
    assert len(texts) >= 20 * len(CASES)
    passed = [text for case, text in texts if judge(case, text).ok]
    assert len(passed) <= 0.02 * len(texts), passed


@pytest.mark.parametrize("family", BY_CASE)
def test_a_family_of_false_texts_by_a_third_or_fourth_author_does_not_pass(family):
    texts = [(name, text) for name, of_case in BY_CASE[family].items() for text in of_case]
    passed = [text for case, text in texts if judge(case, text).ok]
    assert len(passed) <= 0.02 * len(texts), passed


@pytest.mark.parametrize(
    ("of_author", "least", "share"),
    [(PARAPHRASES, 150, 0.9), (OTHER_PARAPHRASES, 60, 0.9), (THIRD_PARAPHRASES, 140, 0.43), (ANSWERS, 180, 0.7)],
)
def test_true_paraphrases_pass(of_author, least, share):
    texts = [(case, text) for case, of_case in of_author.items() for text in of_case]
    assert len(texts) >= least
    refused = [text for case, text in texts if not judge(case, text).ok]
    assert len(refused) <= (1 - share) * len(texts), refused


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


@pytest.mark.parametrize(
    ("case", "true", "false"),
    [
        # "It" after a sentence about the history alone is an item of the history.
        ("films", "You watched Night Train. It is crime.", "You watched Red Desert Sky. It is crime."),
        ("films", "You watched Night Train, and it is crime.", "You watched Quiet Harbour, and it is crime."),
        ("films", "You watched Night Train. Ana Lopez directed it.", "You watched Glass Tower. Ana Lopez directed it."),
        ("films", "You watched Red Desert Sky. This film is crime.", "You watched Red Desert Sky. The film is crime."),
        ("films", "You watched Night Train, a crime film.", "You watched Red Desert Sky, a crime film."),
        ("films", "Night Train and this film are crime.", "You watched Night Train and Quiet Harbour. They are crime."),
        ("shop", "They are corduroy.", "You bought the Falcon collection leather trousers. They are corduroy."),
        (
            "beauty",
            "You bought the Essie Base Coat. It is for nails, as is this polish.",
            "You bought the Great Lash Mascara. It is from Nails, as this polish is.",
        ),
        # Counts are those of the history.
        ("games", "Three of your four games are on PC.", "Two of your four games are on PC."),
        (
            "games",
            "Two of the games you played, Ember Caravan and Crown of Nettles, were published by Northgate.",
            "Two of the games you played, Ember Caravan and Deepmoor, were published by Northgate.",
        ),
        ("beauty", "All three items you bought are makeup.", "All three items you bought are for nails."),
        # Makers did what their kind does.
        ("games", "Northgate published Hollow Tide.", "Pale Otter Games published Hollow Tide."),
        (
            "books",
            "Marta Quill's The Lantern Keeper is historical fiction.",
            "Marta Quill's Ashes over Velm is a mystery.",
        ),
        # Only retrieved neighbours are the closest ones.
        ("games", "Deepmoor is its closest match.", "Ember Caravan is its closest match."),
        # A shortened title is that of one item.
        ("lamps", "The Aurora is by Lumen.", "You bought the Aurora."),
        # A film is not a book, shoes are not an album.
        ("films", "This film is by Ana Lopez.", "This book is by Ana Lopez."),
        ("shop", "This item is by Atelier Nine.", "This album is by Atelier Nine."),
        # What users did is known, not that they liked it.
        ("films", "You watched Night Train.", "You enjoyed Night Train."),
        ("shop", "You bought the Moose collection wool hat.", "You watched the Moose collection wool hat."),
        # "Another" needs one before.
        ("films", "You may like another film by Ana Lopez.", "You may like another film with Tom Reed."),
        ("shop", "You seem to like trousers.", "You like trousers."),
        # What is said at the end of a list is said of all of it; "it" before "and so is" means the item before.
        (
            "fashion",
            "You bought the Jade slim and the Basic tee, both dark blue.",
            "You bought the Jade slim and the Luna jumper, both striped.",
        ),
        (
            "lamps",
            "You bought the Cork tray from Portugal.",
            "You bought the Brio floor lamp and the Cork tray, which are from Portugal.",
        ),
        (
            "fashion",
            "You bought the Basic tee. It is dark blue, and so is the Tilda tank.",
            "You bought the Strap top. It is dark blue, and so is the Tilda tank.",
        ),
        ("fashion", "It is dark blue too.", "It is too dark blue."),
        # A phrase behind a comma is said of what stands before it, and "they" are all that were named.
        (
            "films",
            "You watched Night Train, another crime film.",
            "You watched Glass Tower, another film by Ana Lopez.",
        ),
        (
            "fashion",
            "The Tilda tank is dark blue, like the Basic tee. They also share the section Womens Everyday Basics.",
            "The Tilda tank is striped, like the Luna jumper. They also share the section Womens Everyday Basics.",
        ),
        ("films", "Looking for another crime film? This is one.", "Looking for another crime drama? This is one."),
        ("beauty", "It is similar to the OPI Red Shatter Crackle.", "It is similar to the Great Lash Mascara."),
        # Text and image are close to retrieved neighbours alone.
        (
            "fashion",
            "Its text and image are close to Strap top, which you bought.",
            "Its text and image are close to Basic tee, which you bought.",
        ),
        (
            "films",
            "You watched Glass Tower. The word banker is in both descriptions.",
            "You watched Night Train. The word banker is in both descriptions.",
        ),
        ("films", "It is crime, like Night Train. So is Glass Tower.", "It is crime. So is Quiet Harbour."),
        (
            "films",
            "This film combines crime, as in Night Train, and drama, as in Quiet Harbour.",
            "This film combines crime, as in Quiet Harbour, and drama, as in Night Train.",
        ),
        ("lamps", "Same maker as the Brio floor lamp.", "Same maker as the Cork tray."),
        (
            "lamps",
            "You bought the Brio floor lamp and also the Cork tray.",
            "You bought the Brio floor lamp and also the Aurora desk lamp.",
        ),
        ("lamps", "You bought the Cork tray, also from Portugal.", "You bought the Cork tray, also by Lumen."),
        ("fashion", "You bought the T-shirt Basic tee.", "You bought the T-shirt Jade slim."),
        # "Another", "more", "else" and "too" hold of the items named just before, in every form.
        (
            "shop",
            "You bought the Falcon collection leather trousers; here are more trousers.",
            "You bought the Moose collection wool hat; here are more trousers.",
        ),
        (
            "shop",
            "You bought the Falcon collection leather trousers; here is one more pair of trousers.",
            "You bought the Moose collection wool hat; here is one more pair of trousers.",
        ),
        (
            "shop",
            "You bought the Falcon collection leather trousers. These trousers are trousers too.",
            "You bought the Moose collection wool hat. These trousers are trousers too.",
        ),
        (
            "shop",
            "You bought the Falcon collection leather trousers. More trousers.",
            "You bought the Moose collection wool hat. More trousers.",
        ),
        (
            "shop",
            "If you like the Falcon collection leather trousers, try another pair of trousers.",
            "If you like the Moose collection wool hat, try another pair of trousers.",
        ),
        (
            "shop",
            "As someone who bought the Falcon collection leather trousers, you may like another pair of trousers.",
            "As someone who bought the Moose collection wool hat, you may like another pair of trousers.",
        ),
        (
            "shop",
            "You may like another pair of trousers, since you bought the Falcon collection leather trousers.",
            "You may like another pair of trousers, since you bought the Moose collection wool hat.",
        ),
        (
            "shop",
            "You bought the Robin collection corduroy shirt, and this is something else made of corduroy.",
            "You bought the Moose collection wool hat, and this is something else made of corduroy.",
        ),
        (
            "shop",
            "You bought the Falcon collection leather trousers, and this is another pair of trousers.",
            "You bought the Moose collection wool hat and the Falcon collection leather trousers, and this is another "
            "pair of trousers.",
        ),
        # The end of a title that two items have names neither.
        ("shop", "You already own the wool hat.", "You already own the trousers."),
        # What holds of all items holds of this one.
        (
            "shop",
            "All five items you bought are clothing, like these trousers.",
            "All five items you bought are corduroy, like these trousers.",
        ),
        (
            "films",
            "Half of the films in this user's history are crime.",
            "Half of the films in the history are dramas.",
        ),
    ],
)
def test_what_is_meant_must_be_what_is_known(case, true, false):
    assert judge(case, true).violations == []
    assert not judge(case, false).ok


def items_of(titles: list[str], **facts: str) -> list[Item]:
    """Return a catalogue in which the recommended item alone has some facts, and eight more items."""
    named = [(title, "", {"brand": "Zed"}, []) for title in titles[1:]]
    return [(titles[0], "", facts, []), *named, *((f"Filler {place}", "", {"brand": "B"}, []) for place in range(8))]


@pytest.mark.parametrize(
    ("titles", "true", "false"),
    [
        # What follows a preposition is another thing.
        (["Case for Galaxy phone", "Galaxy phone"], "This case is by Acme.", "This is a phone by Acme."),
        (["Wool dress with belt", "Silk belt"], "It is a dress by Acme.", "It is a belt by Acme."),
        (["Salt and pepper mill", "Mug"], "This item is by Acme.", "This salt is by Acme."),
        (["Leather belt", "Belt bag", "Silk belt"], "The Silk belt is a belt.", "The Belt bag is a belt."),
        # The whole title of one item is not the end of another's.
        (["V-neck strap top", "Strap top"], "The V-neck strap top is by Acme.", "The Strap top is by Acme."),
        (["Mug: Blue rim", "Blue rim"], "Mug: Blue rim is by Acme.", "Blue rim is by Acme."),
        # "The Heron collection" is a fact, not the name of the item, so that "it" is the cap.
        (
            ["Heron collection shoes", "Lynx cap"],
            "You bought the Lynx cap. The Heron collection shoes are from the Heron collection.",
            "You bought the Lynx cap. It is from the Heron collection.",
        ),
    ],
)
def test_words_of_a_title_name_the_item_that_they_say(titles, true, false):
    case = Case("titles", items_of(titles, brand="Acme", price="$20", collection="heron"), len(titles) - 1, [], {})
    verifier = Verifier(evidence_of(case.recommendation, case.knowledge))
    assert verifier(true).violations == []
    assert not verifier(false).ok


def test_a_film_is_not_what_its_title_names():
    case = Case("film", items_of(["The Book of Life", "Heat"], director="Jorge"), 1, [], {})
    verifier = Verifier(evidence_of(case.recommendation, case.knowledge))
    assert verifier("This film is by Jorge.").ok
    assert not verifier("This book is by Jorge.").ok


@pytest.mark.parametrize("size", [MAX_HISTORY, MAX_HISTORY + 20])
def test_a_number_of_items_is_said_only_where_all_are_counted(size):
    genres = ["Crime" if place in (1, 2, size - 1, size) else "Drama" for place in range(1, size + 1)]
    seen = [(f"Old {place}", "", {"director": "Bo", "genres": [genre]}, []) for place, genre in enumerate(genres)]
    fillers = [(f"Other {place}", "", {"genres": ["War"]}, []) for place in range(20)]
    case = Case("long", [("New", "", {"director": "Ana", "genres": ["Crime"]}, []), *seen, *fillers], size, [], {})
    verifier = Verifier(evidence_of(case.recommendation, case.knowledge))
    assert not verifier("You watched two crime films.").ok
    assert verifier("You watched four crime films.").ok == (size == MAX_HISTORY)
    assert not verifier("You often watch crime films.").ok


def test_what_counts_most_is_said_without_an_opening_too():
    case = CASES["films"]
    moved = replace(case.recommendation, falls=(0.1, 0.1, 3.0, 0.1))
    verifier = Verifier(evidence_of(moved, case.knowledge))
    assert verifier("Red Desert Sky counts most for this.").ok
    assert not verifier("Quiet Harbour counts most for this.").ok
    newest = Verifier(evidence_of(replace(moved, falls=(0.1, 3.0, 0.1)), case.knowledge))
    assert not newest("Red Desert Sky counts most for this.").ok  # among the newest items alone


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
    verdict = judge("films", " ".join(words))
    assert not verdict.ok or any(sentence.statements for sentence in verdict.sentences)


def test_a_sentence_with_too_many_readings_is_refused():
    assert not judge("films", f"It is {', '.join(['crime', 'drama'] * 12)}.").ok
