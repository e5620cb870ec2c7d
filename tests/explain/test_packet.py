import dataclasses
import json
import math

import polars as pl
import pytest

from mmrec.explain import Knowledge, build_packet
from mmrec.explain.knowledge import MAX_FACTS, MAX_VALUES
from mmrec.explain.packet import HistoryItem, shared_facts
from mmrec.explain.text import clean


def test_packet_holds_the_evidence_and_nothing_of_other_items(knowledge, recommendation):
    packet = build_packet(recommendation, knowledge)
    assert packet.title == "Long Shadow, The (1997)"
    assert packet.history == [
        HistoryItem("Night Train (1994)", {"genre": ["Crime"]}),
        HistoryItem("Quiet Harbour", {"genre": ["Drama"], "director": ["Ana Lopez"]}),
    ]
    assert packet.neighbours == ["Quiet Harbour"]
    assert packet.visual == ["blue", "low contrast"]
    assert packet.signals == {"alpha": 0.6}
    assert packet.history_size == 2


def test_history_keeps_the_most_recent_and_skips_padding(knowledge, recommendation):
    long = dataclasses.replace(recommendation, history=[2, 1, 0, 4, 0, 1])
    packet = build_packet(long, knowledge, history_length=3)
    assert [item.title for item in packet.history] == ["Night Train (1994)", "m4", "Night Train (1994)"]


def test_clean_makes_one_visible_line():
    assert clean("a\x00b\nc\u202ed\u200be\ud800\t f") == "ab cde f"
    assert len(clean("x" * 5000)) == 200
    assert clean("x" * 5000).endswith("…")


def test_facts_are_capped_and_cleaned():
    many = {f"fact{i}": [str(v) for v in range(50)] for i in range(50)}
    items = pl.DataFrame({"raw_id": ["p", "x"], "attributes": [None, json.dumps({"\n": "x", "a": "\x00", **many})]})
    facts = Knowledge(items).facts(1)
    assert len(facts) == MAX_FACTS
    assert {len(values) for values in facts.values()} == {MAX_VALUES}


def test_sharing_needs_the_same_name_and_value():
    facts = {"genre": ["Crime", "Drama"], "lead": ["Crime"]}
    assert shared_facts(facts, {"genre": ["DRAMA", "War"], "brand": ["Crime"]}) == {"genre": ["Drama"]}


def test_broken_scores_are_refused(recommendation):
    with pytest.raises(ValueError, match="alpha is not finite"):
        dataclasses.replace(recommendation, signals={"alpha": math.nan})
