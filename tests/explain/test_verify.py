import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrec.explain import Packet, Verifier
from mmrec.explain.linking.words import aliases, normal_form
from mmrec.explain.packet import HistoryItem

verify = Verifier()
PACKET = Packet(
    title="Long Shadow, The (1997)",
    facts={"genre": ["Crime", "Sci-Fi"], "director": ["Ana Lopez"], "price": ["$1,299.50"], "brand": ["O’Neil"]},
    keywords=["detective"],
    visual=["dark", "high contrast"],
    history=[HistoryItem("Night Train 2 (1994)", {"genre": ["Crime"]}), HistoryItem("Schindler's List", {})],
    neighbours=["Alien: The Old Cut"],
    signals={"gate": 0.4},
)
TRUE = [
    "The Long Shadow is a Crime film from 1997, as is Night Train 2.",
    "You liked “Night Train 2 (1994)” and 'Schindler's List'; this is by Ana Lopez.",
    "SCHINDLER’S LIST and “the old cut” are in your history.",
    "Lopez also fits a sci-fi taste from the 1990s, or the 90s, at 1299.50 dollars.",
    "Its picture is dark. It has high contrast, and O'Neil makes it for $1,299.5.",
    "Because Ana Lopez directed it, I think you will like this detective story.",
    "Recent taste counts with a gate of 0.40.",
    "It's dark. That's Crime. Let's see it.",
    "Ｎｉｇｈｔ Ｔｒａｉｎ ２ is close.",
    "Lopez's films are dark (Crime); “” is nothing.",
]
FALSE = [
    ("It came out in 1999.", "year", "1999"),
    ("It came out in ١٩٩٩.", "year", "١٩٩٩"),
    ("It is from the 1980s.", "year", "1980s"),
    ("It costs $1,299.99.", "price", "1,299.99"),
    ("Three of 7 friends like it.", "number", "7"),
    ("It is like “Night Train 3”.", "quoted", "Night Train 3"),
    ("It is like night train 3.", "number", "3"),
    ("It is like “Night Train”.", "quoted", "Night Train"),
    ("It is like 'Heat' for you.", "quoted", "Heat"),
    ("It is like 《Heat》 for you.", "quoted", "Heat"),
    ("It is like Night Train.", "name", "Night Train"),
    ("Night Train is like it.", "name", "Night Train"),
    ("A film by Ana Gomez.", "name", "Ana Gomez"),
    ("Ana Gomez made it.", "name", "Ana Gomez"),
    ("A story by J. R. R. Tolkien.", "name", "J. R. R. Tolkien"),
    ("It recalls Lord of the Rings.", "name", "Lord of the Rings"),
    ("You like the brand Adidas.", "name", "Adidas"),
    ("Pixar's Long Shadow is dark.", "name", "Pixar"),
    ("It is the Long Shadow Returns cut.", "name", "Long Shadow Returns"),
]


@pytest.mark.parametrize("text", TRUE)
def test_true_statements_pass(text):
    assert verify(text, PACKET).violations == ()


@pytest.mark.parametrize(("text", "kind", "mention"), FALSE)
def test_injected_falsehoods_are_caught_once(text, kind, mention):
    assert [(v.kind, v.text) for v in verify(text, PACKET).violations] == [(kind, mention)]


def test_cited_titles_must_be_in_the_history():
    assert verify("It is dark.", PACKET, ["Night Train 2", "Alien: The Old Cut"]).ok
    verdict = verify("It is dark.", PACKET, ["The Long Shadow"])  # the candidate itself is no history
    assert [str(v) for v in verdict.violations] == ["cited The Long Shadow is not in the history"]


def test_a_text_that_would_hold_of_anything_does_not_hold():
    verdict = verify("This is a good reason to buy it, and it is very comfortable.", PACKET)
    assert [str(violation) for violation in verdict.violations] == ["it names no fact of the item and no title"]


def test_every_violation_is_named():
    verdict = verify("Tom Hanks plays in “Heat” of 1995 and 1995.", PACKET, ["Heat"])
    assert [v.kind for v in verdict.violations] == ["cited", "name", "quoted", "year"]
    assert str(verdict.violations[3]) == "year 1995 is not in the facts"


def test_aliases():
    assert ("the", "matrix") in aliases("Matrix, The (1999)")
    assert ("matrix",) in aliases("The Matrix")
    assert ("the", "good", "the", "bad") in aliases("Good, the Bad, The")
    assert ("quentin", "tarantino") in aliases("Tarantino, Quentin")
    assert ("toy", "story") not in aliases("Toy Story 2")
    assert normal_form("007 1,299.00 1E9999999999") == ("7", "1299", "1e9999999999")


@given(st.integers(1800, 2100).filter(lambda year: year not in {1994, 1997}))
def test_any_other_year_is_caught(year):
    assert not verify(f"You like films of {year}.", PACKET).ok


@given(st.text(max_size=80))
def test_any_text_can_be_judged(text):
    verdict = verify(text, PACKET, [text])
    assert verdict.ok == (not verdict.violations)
