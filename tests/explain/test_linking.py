import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrec.explain import Packet, Verifier
from mmrec.explain.linking.known import Known
from mmrec.explain.linking.mentions import mentions
from mmrec.explain.linking.vocabulary import Vocabulary, kind_of
from mmrec.explain.packet import HistoryItem

SHOP = Vocabulary(
    [("brand", "Miro"), ("brand", "Gap"), ("brand", "Casa Verde"), ("categories", "Hat"), ("categories", "Shoes"),
     ("material", "wool"), ("material", "tweed"), ("colors", "mint"), ("designer", "Ana Lopez"), ("year", "1999"),
     ("description", "a long text that is no name at all")],
    titles=["Owl collection wool hat", "Fox collection tweed shoes", "Elk collection denim shirt"],
    lower_case=["gap", "hat", "wool"],
)  # fmt: skip
PACKET = Packet(
    title="Owl collection wool hat",
    facts={"brand": ["Miro"], "category": ["Hat"], "material": ["wool"], "price": ["$22.90"]},
    visual=["grey", "dark"],
    history=[HistoryItem("Fox collection tweed shoes", {"brand": ["Miro"]})],
)


WORDS = [
    "The",
    "Casa",
    "Verde",
    "Miro",
    "wool",
    "Tweed",
    "owl",
    "Hat",
    "hat",
    "1999",
    "$30",
    "Deluxe",
    "of",
    "'s",
    ".",
    ",",
]


def judged(text, packet=PACKET, vocabulary=SHOP):
    found = mentions(text, Known(packet, vocabulary.generic), vocabulary)
    return [(m.kind, m.text, m.label.value) for m in found]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It is made of wool.", [("material", "wool", "supported")]),
        ("It is made of tweed.", [("material", "tweed", "contradiction")]),
        ("It is made of woollen cloth.", [("material", "woollen", "supported")]),
        ("It is nylon.", [("material", "nylon", "contradiction")]),
        ("Two hats of miro, the best.", [("category", "hats", "supported"), ("brand", "miro", "supported")]),
        ("A Casa Verde piece.", [("brand", "Casa Verde", "contradiction")]),
        ("Mind the gap.", []),  # an everyday word, though a brand is spelled like it
        ("It is by Gap.", [("brand", "Gap", "contradiction")]),
        ("A gray one, not a mint one.", [("colour", "gray", "supported"), ("colour", "mint", "contradiction")]),
        ("It costs 22.90 dollars.", [("price", "22.90", "supported")]),
        ("It costs $30.", [("price", "30", "contradiction")]),
        ("It is from 1999.", [("year", "1999", "off_packet")]),
        ("Ana Lopez made it.", [("person", "Ana Lopez", "off_packet")]),
        ("You bought the Fox tweed shoes.", [("title", "Fox tweed shoes", "supported")]),
        ("It goes with Elk collection denim shirt.", [("title", "Elk collection denim shirt", "off_packet")]),
        ("A comedy for the family.", [("genre", "comedy", "off_packet")]),  # family is a genre only among films
        ("IT IS A WONDERFUL WOOL HAT BY MIRO", [("material", "WOOL", "supported"), ("category", "HAT", "supported"),
                                                ("brand", "MIRO", "supported")]),
    ],
)  # fmt: skip
def test_kinds_and_labels(text, found):
    assert judged(text) == found


def test_words_of_a_history_title_support_only_what_is_said_of_the_history():
    assert judged("You liked tweed.") == [("material", "tweed", "supported")]
    assert judged("The tweed you bought was warm.") == [("material", "tweed", "supported")]
    assert judged("You liked it, and this tweed is warm.") == [("material", "tweed", "contradiction")]


def test_everyday_terms_are_claims_where_the_facts_have_their_kind():
    film = Packet("Heat", {"genres": ["Crime", "Sci-Fi"]})
    assert judged("A romantic science fiction film for the family.", film) == [
        ("genre", "romantic", "contradiction"),
        ("genre", "science fiction", "supported"),
        ("genre", "family", "contradiction"),
    ]


def test_a_wrong_word_within_a_name_makes_the_whole_wrong_once():
    assert judged("The Casa Verde Deluxe line.") == [("name", "Casa Verde Deluxe", "contradiction")]
    verdict = Verifier(SHOP)("The Casa Verde Deluxe line.", PACKET)
    assert [str(v) for v in verdict.violations] == ["name Casa Verde Deluxe contradicts the facts"]


@given(
    st.lists(
        st.sampled_from(
            [
                "The",
                "Casa",
                "Verde",
                "Miro",
                "wool",
                "Tweed",
                "tweed",
                "owl",
                "Hat",
                "hat",
                "1999",
                "$30",
                "Deluxe",
                "of",
                "'s",
                ",",
                ".",
            ]
        ),
        max_size=12,
    )
)
def test_any_words_of_the_catalogue_can_be_judged(words):
    verdict = Verifier(SHOP)(" ".join(words), PACKET)
    assert all(str(violation) for violation in verdict.violations)


def test_a_quoted_title_is_one_mention():
    assert judged("“Owl collection tweed hat” is warm.") == [("quoted", "Owl collection tweed hat", "off_packet")]


def test_kinds_of_facts_have_one_name():
    names = ("Genres", "categories", "colors", "directors", "store", "release_year", "series", "s")
    kinds = ["genre", "category", "colour", "person", "brand", "year", "series", "s"]
    assert [kind_of(name) for name in names] == kinds
