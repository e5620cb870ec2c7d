"""The linker's error rates on hand-labelled mentions: wrong ones must be caught, true ones must pass."""

import re
from pathlib import Path

import pytest
import yaml

from mmrec.data.datamodule import RecDataModule
from mmrec.explain import Knowledge, Packet
from mmrec.explain.linking.known import Known
from mmrec.explain.linking.mentions import mentions
from mmrec.explain.linking.vocabulary import Vocabulary
from mmrec.explain.packet import HistoryItem, clean_facts, shared_facts

FILE = Path(__file__).with_name("mentions.yaml")
MARK = re.compile(r"\[([^\]|]+)\|([-+?])\]")
FILMS = {
    "genre": ["Action", "Comedy", "Crime", "Documentary", "Drama", "Horror", "Musical", "Romance", "Sci-Fi", "Thriller",
              "War", "Western"],
    "country": ["Norway", "Sweden", "France"],
}  # fmt: skip


def packets(toy: RecDataModule) -> dict[str, tuple[Packet, Vocabulary]]:
    shop = Knowledge.load(toy.catalog.folder)
    table = toy.catalog.item_table
    items = {name: item for column in ("title", "raw_id") for item, name in enumerate(table[column].to_list())}
    films = Vocabulary((kind, value) for kind, values in FILMS.items() for value in values)
    made = {}
    for name, told in yaml.safe_load(FILE.read_text())["packets"].items():
        if "packet" in told:
            history = [HistoryItem(**item) for item in told["packet"].pop("history")]
            made[name] = Packet(**told["packet"], history=history), films
        else:
            candidate, past = items[told["item"]], [items[name] for name in told["history"]]
            facts = clean_facts(shop.facts(candidate))
            history = [HistoryItem(shop.title(i), shared_facts(facts, shop.facts(i))) for i in past]
            made[name] = Packet(shop.title(candidate), facts, visual=told["visual"], history=history), shop.vocabulary
    return made


def judged(toy: RecDataModule) -> list[tuple[str, str, str, str]]:
    """Return (text, mention, label, what the linker says): the worst of what it finds in the mention, or "missed"."""
    known, rows = packets(toy), []
    for line in yaml.safe_load(FILE.read_text())["texts"]:
        packet, vocabulary = known[line["packet"]]
        text, spans = "", []
        for part in re.split(r"(\[[^\]|]+\|[-+?]\])", line["text"]):
            mark = MARK.fullmatch(part)
            if mark:
                spans.append((len(text), len(text) + len(mark[1]), mark[1], mark[2]))
            text += mark[1] if mark else part
        found = [
            (m.start, m.start + len(m.text), m.linked)
            for m in mentions(text, Known(packet, vocabulary.generic), vocabulary)
        ]
        for start, end, words, label in spans:
            inside = [linked for s, e, linked in found if s < end and start < e]
            rows.append((text, words, label, "missed" if not inside else "passed" if all(inside) else "caught"))
    return rows


@pytest.fixture(scope="module")
def rows(toy: RecDataModule) -> list[tuple[str, str, str, str]]:
    return judged(toy)


def test_there_are_enough_of_each(rows) -> None:
    labels = [label for *_, label, _ in rows]
    assert len(labels) >= 300
    assert min(labels.count(label) for label in "+-?") >= 25


def test_wrong_mentions_are_caught(rows) -> None:
    wrong = [row for row in rows if row[2] != "+"]
    missed = [row for row in wrong if row[3] != "caught"]
    assert len(missed) <= 0.04 * len(wrong), missed


def test_true_mentions_pass(rows) -> None:
    true = [row for row in rows if row[2] == "+"]
    blamed = [row for row in true if row[3] == "caught"]
    assert len(blamed) <= 0.02 * len(true), blamed
