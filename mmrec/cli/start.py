"""Start without the libraries that Lightning brings along and nothing here uses."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from types import ModuleType
from typing import Any, TypeVar
from unittest.mock import patch

T = TypeVar("T")

OTHERS = ("torchvision", "transformers", "scipy", "matplotlib")
COMPILER = "torch._dynamo"


class _Compiled(type):
    """Knows a compiled module when it sees one, without loading the compiler."""

    def __instancecheck__(cls, instance: object) -> bool:
        compiler = sys.modules.get(COMPILER)
        return compiler is not None and isinstance(instance, compiler.OptimizedModule)


class OptimizedModule(metaclass=_Compiled):
    """Stands for `torch._dynamo.OptimizedModule` in `isinstance`, which is all that Lightning asks of it."""


def disable(function: Callable[..., T], recursive: bool = True, reason: str | None = None) -> Callable[..., T]:
    """Stand for `torch._dynamo.disable`, which keeps the compiler out of a function."""

    @cache
    def kept_out() -> Callable[..., T]:
        kept: Callable[..., T] = sys.modules[COMPILER].disable(function, recursive, reason=reason)
        return kept

    @wraps(function)
    def called(*args: Any, **kwargs: Any) -> T:
        return (kept_out() if COMPILER in sys.modules else function)(*args, **kwargs)

    return called


@contextmanager
def imports() -> Iterator[None]:
    """Import without Python's garbage collector, which afterwards leaves alone what was made.

    What an import makes stays. The collector would look through 400,000 objects again and again, and once more at the
    end of the process, for nothing. Where PyTorch is already there, this is somebody else's process, or not the first
    command of it: then nothing is taken from the collector.
    """
    first = "torch" not in sys.modules
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        if first:
            gc.freeze()


def import_lightning() -> None:
    """Import pytorch_lightning without what takes half of its time.

    Lightning imports torchmetrics for the class `Metric`, and torchmetrics imports whatever one of its hundred metrics
    may need, if it is installed: models of images and of language, a library of signals. The command line calls this
    first. In its process, torchmetrics' own metrics of images, text and audio say that these libraries are missing;
    who imports mmrec as a library is not concerned.

    Of PyTorch's compiler Lightning wants a class, to ask whether a model was compiled, and a decorator for one method.
    `OptimizedModule` and `disable` do that too, and `torch.compile` loads the compiler as ever.
    """
    from lightning_utilities.core import imports

    available, check = imports.package_available, imports.RequirementCache._check_available

    def check_others(cache: imports.RequirementCache) -> None:
        if (cache.requirement or cache.module or "").startswith(OTHERS):
            cache.available, cache.message = False, "not imported at start-up, see mmrec.cli.start"
        else:
            check(cache)

    import torch  # noqa: F401  it must not find the stand-in below

    stand_in = ModuleType(COMPILER)
    vars(stand_in).update(OptimizedModule=OptimizedModule, disable=disable)
    loaded = COMPILER in sys.modules
    if not loaded:
        sys.modules[COMPILER] = stand_in
    try:
        with (
            patch.object(imports.RequirementCache, "_check_available", check_others),
            patch.object(imports, "package_available", lambda name: not name.startswith(OTHERS) and available(name)),
        ):
            import pytorch_lightning  # noqa: F401
    finally:
        if not loaded:
            del sys.modules[COMPILER]
