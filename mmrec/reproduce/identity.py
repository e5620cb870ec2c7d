"""The identity of a run: what its numbers depend on, apart from the seed.

Two runs with the same identity are the same run, whatever table they belong to and however their options are written.
The command line computes it, because only the command line reads configs (`mmrec.cli.run_identity`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass


@dataclass(frozen=True)
class Identity:
    """The identity of a run, apart from its seed.

    Args:
        dataset: name of the data source, which names folders.
        config: sha256 of the effective config, defaults included.
        data: folders of the prepared data and of its features; their names are hashes of the raw files and of
            everything that preparation does to them.
        code: version of the package, see `mmrec.utils.environment.code_version`.
    """

    dataset: str
    config: str
    data: str
    code: str

    @property
    def key(self) -> str:
        """Twelve hexadecimal digits that stand for the whole identity."""
        return hashlib.sha256(json.dumps(astuple(self)).encode()).hexdigest()[:12]


Identify = Callable[[Sequence[str]], Identity]
"""Returns the identity of a run, given the arguments of `lightning fit`, without running or preparing anything."""
