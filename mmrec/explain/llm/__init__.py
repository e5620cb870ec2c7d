"""Language models that write explanations: Ollama, and a cache of replies on disk."""

from mmrec.explain.llm.base import CONTEXT_TOKENS, LLM, MAX_TOKENS, FailureKind, LLMFailure, Reply
from mmrec.explain.llm.cache import CachedLLM
from mmrec.explain.llm.ollama import OllamaLLM
from mmrec.explain.llm.reply import REPLY_SCHEMA, parse_reply

__all__ = [
    "CONTEXT_TOKENS",
    "LLM",
    "MAX_TOKENS",
    "REPLY_SCHEMA",
    "CachedLLM",
    "FailureKind",
    "LLMFailure",
    "OllamaLLM",
    "Reply",
    "parse_reply",
]
