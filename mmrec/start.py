"""Start without the libraries that Lightning brings along and nothing here uses."""

from __future__ import annotations

from unittest.mock import patch

OTHERS = ("torchvision", "transformers", "scipy", "matplotlib")


def import_lightning() -> None:
    """Import pytorch_lightning, with a torchmetrics that does not know of some libraries: 1.4 s less of 5.

    Lightning imports torchmetrics for the class `Metric`, and torchmetrics imports whatever one of its hundred metrics
    may need, if it is installed: models of images and of language, a library of signals. The command line calls this
    first. In its process, torchmetrics' own metrics of images, text and audio say that these libraries are missing;
    who imports mmrec as a library is not concerned.
    """
    from lightning_utilities.core import imports

    available, check = imports.package_available, imports.RequirementCache._check_available

    def check_others(cache: imports.RequirementCache) -> None:
        if (cache.requirement or cache.module or "").startswith(OTHERS):
            cache.available, cache.message = False, "not imported at start-up, see mmrec.start"
        else:
            check(cache)

    with (
        patch.object(imports.RequirementCache, "_check_available", check_others),
        patch.object(imports, "package_available", lambda name: not name.startswith(OTHERS) and available(name)),
    ):
        import pytorch_lightning  # noqa: F401
