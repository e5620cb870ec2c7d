"""Names of earlier versions: each ends in one line that gives the name of today."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mmrec.errors import UserError

OPTIONS = {
    "softmax_products": "loss_precision (rounded is now reduced, exact is now full)",
    "data.control": "data.input_ablation",
    "likeness": "similarity",
}
"""Keys of a configuration."""

CLASSES = {
    "mmrec.callbacks.explain.ExplainRecommendations": "ExplainRecommendations",
    "mmrec.callbacks.refresh_index.RefreshIndex": "RefreshIndex",
    "mmrec.callbacks.save_recommendations.SaveRecommendations": "SaveRecommendations",
    "mmrec.callbacks.save_results.SaveResults": "SaveResults",
    "mmrec.data.encoders.": "the class name alone, for example OpenClipEncoder",
}
"""Class paths, or how they begin."""

TABULAR = {
    **{name: f"items.{name}" for name in (
        "title", "text", "image", "images", "image_url", "attributes", "list_separator",
    )},
    "item_id": "items.id", "separator": "format.separator", "quote": "format.quote",
}  # fmt: skip
"""Options of the source Tabular."""

CONFIGS = {
    "mm_racl_kal_id": "sasrec_text_image",
    "mm_racl_kal_id_sparse": "sasrec_text",
    "mm_racl_kal_time": "sasrec_text_image_time",
}
"""Model configurations that were named after a model whose parts they switched off, by the name they have now."""


def refuse_old_options(args: Iterable[str]) -> None:
    """Raise a UserError if an option of the command line has an old name."""
    for arg in args:
        name = arg.removeprefix("--").partition("=")[0]
        if arg.startswith("--") and name in OPTIONS:
            raise UserError(f"--{name} is now --{OPTIONS[name]}")


def refuse_old_names(config: Mapping[str, Any], file: str) -> None:
    """Raise a UserError if a configuration has an old key or class path.

    Args:
        config: content of a YAML file.
        file: its name, for the message.
    """
    source = (config.get("data") or {}).get("source") if isinstance(config.get("data"), Mapping) else None
    if isinstance(source, Mapping) and str(source.get("class_path")).endswith("Tabular"):
        _refuse_old_tabular(source.get("init_args") or {}, file)
    for key, value in _flat(config):
        if key in OPTIONS:
            raise UserError(f"{file}: {key} is now {OPTIONS[key]}")
        if key.endswith("class_path"):
            for old, new in CLASSES.items():
                if str(value).startswith(old):
                    raise UserError(f"{file}: the class {value} is now {new}")


def _refuse_old_tabular(options: Mapping[str, Any], file: str) -> None:
    for old, new in TABULAR.items():
        if old in options:
            raise UserError(f"{file}: data.source.init_args.{old} is now data.source.init_args.{new}")
    if isinstance(options.get("items"), str | list):
        raise UserError(f"{file}: data.source.init_args.items: FILE is now items: {{files: FILE}}")


def _flat(value: Any, key: str = "") -> Iterable[tuple[str, Any]]:
    """Yield every key of nested mappings with its value; elements of a list share the key of the list."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            path = f"{key}.{name}" if key else str(name)
            yield path, inner
            yield from _flat(inner, path)
    elif isinstance(value, list):
        for inner in value:
            yield from _flat(inner, key)
