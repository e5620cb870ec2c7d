"""Words as entries of a vector, without a vocabulary."""

from __future__ import annotations

import hashlib
from functools import lru_cache


@lru_cache(maxsize=1 << 17)
def buckets(word: str, dim: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return two pairs (bucket, sign) for a word, the same in every process and on every machine.

    Words that collide in one bucket usually differ in the other; the signs make collisions cancel on average.
    """
    digest = hashlib.blake2b(word.encode(), digest_size=16).digest()
    first, second = int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")
    return ((first >> 1) % dim, 1 - 2 * (first & 1)), ((second >> 1) % dim, 1 - 2 * (second & 1))
