"""Knowledge-anchored explanations of recommendations (paper, section 3.5), made after training and apart from it.

`Knowledge` is what is known of the items, a `Packet` is the evidence for one recommendation, `Prompt` puts it to an
`LLM` (eq. 17), a `Verifier` checks the answer against the packet, and `ExplanationPipeline` runs it all and falls back
to the template of `from_facts`, saying so. `mmrec.explain.of_run.pipeline_of` puts it together for a trained model.
"""

from mmrec.explain.knowledge import Knowledge
from mmrec.explain.llm import LLM, CachedLLM, LlamaCppLLM, LLMFailure, OllamaLLM, Reply
from mmrec.explain.outcome import Explanation, Summary
from mmrec.explain.packet import Packet, Recommendation, build_packet
from mmrec.explain.pipeline import ExplanationPipeline
from mmrec.explain.prompt import Prompt
from mmrec.explain.template import from_facts
from mmrec.explain.verify import Verdict, Verifier, Violation

__all__ = [
    "LLM",
    "CachedLLM",
    "Explanation",
    "ExplanationPipeline",
    "Knowledge",
    "LLMFailure",
    "LlamaCppLLM",
    "OllamaLLM",
    "Packet",
    "Prompt",
    "Recommendation",
    "Reply",
    "Summary",
    "Verdict",
    "Verifier",
    "Violation",
    "build_packet",
    "from_facts",
]
