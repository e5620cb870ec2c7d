"""The manifest of a bundle: what it is, and the checksum of every file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmrec.errors import UserError
from mmrec.utils.files import hash_file, write_whole
from mmrec.utils.json_files import Shape, read_json

FILE = "manifest.json"
FORMAT_VERSION = 1
"""Increased when the layout of a bundle changes: bundles of another version are not read."""
ADVICE = "export the run again"
SHAPE: Shape = {
    **dict.fromkeys(("bundle_version", "n_users", "n_items", "max_length", "newest"), int),
    **dict.fromkeys(("mmrec_version", "dataset", "data_hash"), str),
    "mask_history": bool,
    "model": {"class_path": str, "init_args": {str: Any}},
    "encoder": ({str: Any}, None),
    "protocol": {str: Any},
    "features": (str, None),
    "index": ({"kind": str, "k": int, "recall": float, "effort": int}, None),
    "absent": {str: str},
    "files": {str: str},
}


@dataclass(frozen=True, kw_only=True)
class BundleManifest:
    """All of `manifest.json`.

    Args:
        mmrec_version: version of mmrec that wrote the bundle.
        dataset: name of the data's source.
        data_hash: sha256 of the interactions that the model was made for, held-out ones included.
        n_users: U.
        n_items: I, padding included.
        max_length: L, the longest window.
        mask_history: whether items of a history are left out of its recommendations.
        newest: the newest time in the data, in seconds.
        model: class and constructor arguments.
        encoder: class and constructor arguments of the features' encoder; None without features.
        protocol: options of the evaluation.
        features: folder of the features in the bundle; None without features.
        index: kind of the index, its recall@k against exact search, and the search effort stored in it (`nprobe` or
            `efSearch`); None for a model without item vectors.
        absent: reason, by name, of each part that the model has no form for.
        files: sha256 of every other file, by its path in the bundle.
        bundle_version: version of the layout.
    """

    mmrec_version: str
    dataset: str
    data_hash: str
    n_users: int
    n_items: int
    max_length: int
    mask_history: bool
    newest: int
    model: dict[str, Any]
    encoder: dict[str, Any] | None
    protocol: dict[str, Any]
    features: str | None
    index: dict[str, Any] | None
    absent: dict[str, str]
    files: dict[str, str]
    bundle_version: int = FORMAT_VERSION

    def save(self, folder: Path) -> None:
        """Write `manifest.json`."""
        write_whole(folder / FILE, json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n")


def is_bundle(folder: Path) -> bool:
    """Return whether a folder is a bundle, whole or damaged, and not a run or a prepared dataset."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and "bundle_version" in content


def read_bundle_manifest(folder: Path) -> BundleManifest:
    """Read the manifest of a bundle.

    Raises:
        UserError: it is missing, damaged or of another format version.
    """
    file = folder / FILE
    content = read_json(file, {}, ADVICE)
    if content.get("bundle_version") != FORMAT_VERSION:
        raise UserError(f"{file}: its version is {content.get('bundle_version')}, not {FORMAT_VERSION}; {ADVICE}")
    content = read_json(file, SHAPE, ADVICE)
    return BundleManifest(**{name: content[name] for name in BundleManifest.__dataclass_fields__})


def hash_files(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file below a folder, by its path in it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hash_file(path) for path in files}


def verify_files(folder: Path, recorded: Mapping[str, str]) -> None:
    """Compare every file with its recorded checksum.

    Raises:
        UserError: a file is missing or its content has changed; the message names it.
    """
    root = folder.resolve()
    for name, checksum in recorded.items():
        file = folder / name
        if not file.resolve().is_relative_to(root):
            raise UserError(f"{folder / FILE}: {name} lies outside the bundle; {ADVICE}")
        if not file.is_file():
            raise UserError(f"{file}: is missing from the bundle; {ADVICE}")
        if hash_file(file) != checksum:
            raise UserError(f"{file}: its content does not match the checksum in {FILE}; {ADVICE}")
