"""Language models that write explanations: Ollama, a GGUF file in this process, and a cache on disk.

While a run is going on nothing here raises anything but `LLMFailure`, and nothing waits longer than its time limit: an
explanation is a by-product, and a missing or broken model must cost a counted fallback, not the run. The packages that
do the work are imported when a model is first used.
"""

from mmrec.explain.llm.base import LLM, FailureKind, LLMFailure, Reply
from mmrec.explain.llm.cache import CachedLLM
from mmrec.explain.llm.llamacpp import LlamaCppLLM
from mmrec.explain.llm.ollama import OllamaLLM

__all__ = [
    "LLM",
    "CachedLLM",
    "FailureKind",
    "LLMFailure",
    "LlamaCppLLM",
    "OllamaLLM",
    "Reply",
]
