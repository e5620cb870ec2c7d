"""The verifier: sentences of a text, each with the statements it rests on or what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass

from mmrec.explain.names import shown_title
from mmrec.explain.statements import Evidence
from mmrec.explain.verify.lexicon import Lexicon
from mmrec.explain.verify.meaning import Clause
from mmrec.explain.verify.normalise import foreign_letters, normalise
from mmrec.explain.verify.sentences import Sentence
from mmrec.explain.verify.tokens import addressed, sentences_of, tokens_of

MAX_TOKENS = 80
"""Longest sentence that is read; nobody wants a longer one, and reading takes time."""


@dataclass(frozen=True)
class SentenceVerdict:
    """One sentence.

    Args:
        text: the sentence in normal form.
        statements: ids of the statements that it rests on.
        spans: (start, end, id) of each part that a statement supports, in characters of `text`, without overlaps.
        violation: what is wrong with it, None if it holds.
    """

    text: str
    statements: tuple[str, ...] = ()
    spans: tuple[tuple[int, int, str], ...] = ()
    violation: str | None = None


@dataclass(frozen=True)
class Verdict:
    """The outcome for a text: its sentences, and whether it says anything at all of the item."""

    sentences: tuple[SentenceVerdict, ...] = ()

    @property
    def violations(self) -> list[str]:
        """What is wrong with the text, a line for each sentence that does not hold."""
        found = [sentence.violation for sentence in self.sentences if sentence.violation]
        if not found and not any(sentence.statements for sentence in self.sentences):
            found.append("it says nothing that is known of the item")
        return found

    @property
    def ok(self) -> bool:
        """Whether all sentences hold and one of them rests on a statement."""
        return not self.violations


class Verifier:
    """Judges texts about one recommendation.

    Args:
        evidence: the statements.
    """

    def __init__(self, evidence: Evidence) -> None:
        self._lexicon = lexicon = Lexicon(evidence)
        values = [s.value for s in evidence.statements if "." in s.value]  # names with initials
        self._titles = [t for t in (evidence.title, *lexicon.history, *values) if t]

    def __call__(self, text: str) -> Verdict:
        """Return the verdict for a text."""
        plain = normalise(text)
        titles = [normalise(title) for title in self._titles]
        mentioned: frozenset[str] = frozenset()
        meant: frozenset[str] = frozenset()
        last = Clause()
        verdicts = []
        for sentence in sentences_of(plain, [*titles, *map(shown_title, titles)]):
            verdict, names, meant, last = self._judge(sentence, mentioned, meant, last)
            mentioned |= names
            verdicts.append(verdict)
        return Verdict(tuple(verdicts))

    def _judge(
        self, text: str, mentioned: frozenset[str], meant: frozenset[str], last: Clause
    ) -> tuple[SentenceVerdict, frozenset[str], frozenset[str], Clause]:
        """Return the verdict, the history titles of a sentence, those that "it" can mean after it, and what it says."""
        tokens = addressed(tokens_of(text))
        known = {word for form in self._lexicon.entries for word in form}
        for token in tokens:
            if foreign_letters(text[token.start : token.end]) and token.key not in known:
                word = text[token.start : token.end]
                return (
                    SentenceVerdict(text, violation=f"“{word}” has letters of another script"),
                    frozenset(),
                    meant,
                    Clause(),
                )
        if len(tokens) > MAX_TOKENS:
            return (
                SentenceVerdict(text, violation=f"a sentence of more than {MAX_TOKENS} words"),
                frozenset(),
                meant,
                Clause(),
            )
        sentence = Sentence(tokens, self._lexicon, mentioned)
        names = frozenset(e.title for i in range(len(tokens)) for _, e in sentence.entries(i) if e.title and e.whole)
        sentence.furthest = 0
        read = sentence.read(meant, last)
        if read is None:
            rest = tokens[min(sentence.furthest, len(tokens) - 1) :] if tokens else []
            at = text[rest[0].start : rest[min(3, len(rest) - 1)].end] if rest else text
            whole = sentence.furthest >= len(tokens)
            what = "is not what the statements say" if whole else f"is not supported from “{at}” on"
            return SentenceVerdict(text, violation=f"“{text}” {what}"), names, names or meant, Clause()
        clause, after = read
        spans = _without_overlaps(
            (tokens[start].start, tokens[end - 1].end, name) for start, end, name in clause.marks if name
        )
        return (
            SentenceVerdict(text, tuple(dict.fromkeys(name for *_, name in spans)), tuple(spans)),
            names,
            after,
            clause,
        )


def _without_overlaps(spans: object) -> list[tuple[int, int, str]]:
    """Return spans in order; of two that overlap the one that starts first."""
    kept: list[tuple[int, int, str]] = []
    for span in sorted(set(spans)):  # type: ignore[call-overload]
        if not kept or span[0] >= kept[-1][1]:
            kept.append(span)
    return kept
