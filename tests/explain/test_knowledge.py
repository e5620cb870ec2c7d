import json

import polars as pl
import pytest
from PIL import Image, ImageDraw

from mmrec.errors import UserError
from mmrec.explain import Knowledge
from mmrec.explain.domain import domain_of
from mmrec.explain.facts import is_telling, said_of
from mmrec.explain.images import describe_image


def test_facts_are_flat_texts(knowledge):
    assert knowledge.facts(3) == {
        "genre": ["Crime", "Drama"],
        "director": ["Ana Lopez"],
        "year": ["1997"],
        "price": ["$1,299.50"],
    }
    assert knowledge.facts(4) == {}


def test_nested_and_empty_attributes():
    attributes = '{"a": null, "b": "", "c": [1.5, null, [true]], "d": {"size": [4]}, "e": NaN}'
    items = pl.DataFrame({"raw_id": ["p", "x"], "title": ["", ""], "attributes": ["", attributes]})
    knowledge = Knowledge(items)
    assert knowledge.facts(1) == {"c": ["1.5", "yes"], "d": ["size: 4"]}
    assert knowledge.title(1) == "x"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("colour_group_name", "Black", "has the colour Black"),
        ("num_pages", "312", "has the number of pages 312"),
        ("players", "1-4", "has the number of players 1-4"),
        ("labels", "Vegan", "has the label Vegan"),
        ("is_organic", "yes", "is organic"),
        ("hasLid", "True", "has lid"),
        ("waterproof", "yes", "is listed as waterproof"),
        ("total_fat", "5 g", "has the total fat 5 g"),
        ("total_pages", "312", "has the number of pages 312"),
        ("artist", "Yes", "has the artist Yes"),
    ],
)
def test_a_fact_is_said_in_words(name, value, said):
    assert said_of(name, value) == said
    assert is_telling(name, value)
    assert not is_telling(name, "no")


@pytest.mark.parametrize(
    ("facts", "noun"),
    [
        ({"stars": "4.5", "city": "Reno"}, "item"),
        ({"studios": ["Pierrot"], "genres": ["Action"]}, "item"),
        ({"band": "Leather", "brand": "Fossil"}, "item"),
        ({"author": "Ann", "minutes": "20"}, "item"),
        ({"actors": ["4.5"], "price": "$3"}, "item"),
        ({"artist": "Yes", "genre": "Rock"}, "album"),
        ({"actors": ["Tom Reed"]}, "film"),
        ({"author": "Ann", "publisher": "Fenwick"}, "book"),
        ({"developer": "Otter", "platform": "PC"}, "game"),
    ],
)
def test_a_name_that_many_catalogues_have_does_not_decide_what_items_are(facts, noun):
    items = pl.DataFrame({"raw_id": ["p", "x"], "title": ["", "X"], "attributes": [None, json.dumps(facts)]})
    assert domain_of(Knowledge(items)).noun == noun


def test_names_of_people_have_letters():
    assert is_telling("actors", "Tom Reed")
    assert not is_telling("actors", "4.5")
    assert is_telling("stars", "4.5")


def test_keywords_prefer_frequent_words_that_are_rare_elsewhere(knowledge):
    assert knowledge.keywords(3) == ["detective", "harbour"]
    assert knowledge.keywords(1) == ["night", "rides", "train", "detective"]
    assert knowledge.keywords(4) == []


def test_image_words_only_where_an_image_opens(knowledge):
    assert knowledge.image_words(3) == ["blue", "low contrast"]
    assert knowledge.image_words(1) == []
    assert knowledge.unreadable == set()
    assert knowledge.image_words(4) == []
    assert knowledge.unreadable == {4}


@pytest.mark.parametrize(
    ("rgb", "words"),
    [
        ((255, 255, 255), ["white", "bright", "low contrast"]),
        ((20, 5, 5), ["black", "dark", "low contrast"]),
        ((220, 20, 20), ["red", "low contrast"]),
        ((20, 90, 40), ["green", "dark", "low contrast"]),
    ],
)
def test_plain_images_are_named_by_their_colour(rgb, words):
    assert describe_image(Image.new("RGB", (90, 40), rgb)) == words


def test_colours_come_by_area_over_a_transparent_ground():
    image = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    ImageDraw.Draw(image).rectangle((0, 0, 99, 19), fill="black")
    assert describe_image(image) == ["white", "black", "bright", "high contrast"]


def test_wrong_datasets_are_named(tmp_path, knowledge):
    with pytest.raises(UserError, match=r"items.parquet is missing"):
        Knowledge.load(tmp_path / "nowhere")
    with pytest.raises(UserError, match="another dataset"):
        knowledge.title(99)
    pl.DataFrame({"item": [0]}).write_parquet(tmp_path / "items.parquet")
    with pytest.raises(UserError, match="prepare the dataset again"):
        Knowledge.load(tmp_path)
    items = pl.DataFrame({"raw_id": ["p", "x"], "attributes": [None, "[1]"]})
    with pytest.raises(UserError, match="item 1 are not a JSON object"):
        Knowledge(items).facts(1)
