"""Knowledge-anchored explanations of recommendations (paper, section 3.5), made after training and apart from it.

How an explanation is made:

1. `evidence` asks the trained model for recommendations and for what they rest on; `knowledge` holds the catalogue.
2. `packet` collects the evidence of one recommendation. `statements` turns it into atomic statements, each true by
   construction and with its source, and ranks them by how much they tell.
3. `writing` makes sentences of them. `grounded` (default): a language model chooses and orders statement ids in a JSON
   schema, and a small grammar writes the sentences. `free` (the paper's gamma_raw, eq. 17): the model writes freely and
   `verify` accepts a sentence only if every content word of it is bound to a statement. Without a language model the
   grammar writes the most telling statements.
4. `pipeline` does this for many recommendations and writes one JSON line for each, see "Rows" below.

`llm` holds the clients of language models, `evaluation` the measures. `callback` runs all of it after `test`.

Rows of `explanations.jsonl` (a JSON object per line):

    user, item: ids in the user's own data.
    rank, score: place in the user's list, from 1, and the model's score.
    text: the explanation.
    sentences: list of {"text", "statements", "spans"}, the sentences of `text` in their order; joined by spaces they
        are `text`. `statements` are the ids of the statements that the sentence rests on. `spans` are [start, end, id]
        for each part of the sentence that a statement supports: offsets in characters of the sentence, in order and
        without overlaps.
    statements: list of statements with all fields of `Statement`, the most telling first.
    writing: "grounded" or "free", or "facts" where no language model was asked.
    source: "llm", "corrected" (a later answer of the model, or the part of one that holds) or "facts" (the grammar
        alone).
    cause, reason: why the text is not the model's first answer, in a few words and in full; null if it is.
    drafts: rejected answers, {"text", "violations"}.
    cited_history: titles of the history that the text rests on.
    similarity: cosine between the text and the user's interest, or null.
    model, digest, cached, model_seconds, seconds: the language model and its time.
    history: ids of the history items in `packet`, oldest first.
    packet: the evidence, see `Packet`.
    prompt: what the language model was asked.

Rows of earlier versions lack `sentences`, `statements` and `writing`, call `similarity` `likeness` and have the source
"template" for "facts". A reader takes a missing `sentences` for one sentence without statements.
"""

from mmrec.explain.knowledge import Knowledge
from mmrec.explain.packet import Packet, Recommendation, build_packet
from mmrec.explain.statements import Evidence, Kind, Statement, evidence_of

__all__ = ["Evidence", "Kind", "Knowledge", "Packet", "Recommendation", "Statement", "build_packet", "evidence_of"]
