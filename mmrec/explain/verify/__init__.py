"""Verification of free text against the statements of a recommendation (paper, section 3.5.2).

The verification is closed: a sentence is accepted only if it can be read whole by a small grammar of English
(`sentences`, with its words in `phrases.txt`) whose only content words are the forms of the statements (`lexicon`), and
if everything it says is entailed by them. Negations, comparisons, quantities, reported speech, instructions,
predictions and unknown names are not searched for: no rule reads them, apart from counts that the history confirms.
What is checked is what a reader sees (`normalise`): invisible characters are removed, and letters of other scripts are
refused unless the catalogue itself has the word.
"""

from mmrec.explain.verify.verifier import SentenceVerdict, Verdict, Verifier

__all__ = ["SentenceVerdict", "Verdict", "Verifier"]
