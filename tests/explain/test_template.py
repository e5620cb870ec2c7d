from hypothesis import given, settings
from hypothesis import strategies as st

from mmrec.explain import Packet, Verifier, build_packet, from_facts
from mmrec.explain.packet import HistoryItem, clean, clean_facts

plain = st.sampled_from(["Heat (1995)", "Toy Story 2", "Matrix, The", "It", "The", "A. Of", '12" Pipe', "O'Neil"])
odd = st.text(st.characters(codec="utf-8") | st.sampled_from("“”‘’\"'«»„「」 .,:()1٣½ŉAÉ"), max_size=25)
strings = (plain | odd).map(clean)
facts = st.dictionaries(strings, st.lists(strings, max_size=3), max_size=3).map(clean_facts)
packets = st.builds(
    Packet,
    title=strings,
    facts=facts,
    keywords=st.lists(strings, max_size=2),
    visual=st.lists(strings, max_size=3),
    history=st.lists(st.builds(HistoryItem, title=strings, shared=facts), max_size=4),
    neighbours=st.lists(strings, max_size=4),
)


@settings(max_examples=300, deadline=None)
@given(packets)
def test_the_template_always_passes_verification(packet):
    reply = from_facts(packet)
    assert Verifier()(reply.explanation, packet, reply.cited_history).violations == ()


def test_reasons_are_the_shared_facts(knowledge, recommendation):
    reply = from_facts(build_packet(recommendation, knowledge))
    assert reply.explanation == (
        "“Long Shadow, The (1997)” is recommended because it shares genre Crime with “Night Train (1994)”; genre Drama "
        "and director Ana Lopez with “Quiet Harbour”. The model places it near “Quiet Harbour”. "
        "Its picture shows blue and low contrast."
    )
    assert reply.cited_history == ("Night Train (1994)", "Quiet Harbour")


def test_the_most_common_reason_comes_first():
    history = [HistoryItem("A", {"x": ["1"], "y": ["2"]}), HistoryItem("B", {"y": ["2"]})]
    text = from_facts(Packet("T", {}, history=history)).explanation
    assert "shares y 2 with “A” and “B”; x 1 with “A”." in text


def test_no_reason_is_admitted():
    packet = Packet("T", {"year": ["1997"]}, history=[HistoryItem("A", {})])
    text = from_facts(packet).explanation
    assert "no recorded fact of it is shared" in text
    assert "Its facts include year 1997." in text
    assert from_facts(Packet("T", {})).explanation == "“T” is recommended without any history to compare it with."
