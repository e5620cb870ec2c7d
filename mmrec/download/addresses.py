"""The addresses file: the datasets that can be downloaded, from where, and under which terms."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmrec.download.failures import TransferError
from mmrec.download.session import parse_url
from mmrec.download.transfer import Expected
from mmrec.errors import UserError
from mmrec.utils.files import read_mapping
from mmrec.utils.shipped import configs_folder
from mmrec.utils.suggest import did_you_mean

FILE = "addresses.yaml"
NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
HASH_DIGITS = {"sha256": 64, "md5": 32}
FILE_KEYS = {"url", "mirrors", "unpack", "bytes", *HASH_DIGITS}
DATASET_KEYS = {"about", "home", "licence", "citation", "categories", "files"}


@dataclass(frozen=True)
class RemoteFile:
    """A file of a dataset.

    Args:
        key: its key in the addresses file, for messages.
        name: name of the file, the last part of its address.
        urls: the address, then the mirrors.
        unpack: whether it is a zip archive to be unpacked.
        expected: size and checksum, where they are known.
    """

    key: str
    name: str
    urls: tuple[str, ...]
    unpack: bool
    expected: Expected


@dataclass(frozen=True)
class Dataset:
    """A dataset of the addresses file.

    Args:
        name: name on the command line and of the folder.
        about: one-line description.
        home: address of the page that describes it.
        licence: one-line summary of the terms.
        citation: the publication to cite.
        categories: the categories, one of which must be chosen; empty if there are none.
        files: the files in the order of their download; `{category}` in a name stands for the category.
    """

    name: str
    about: str
    home: str
    licence: str
    citation: str
    categories: tuple[str, ...]
    files: tuple[RemoteFile, ...]

    def of_category(self, category: str | None) -> tuple[RemoteFile, ...]:
        """Return the files of a category, named in any letter case, with its spelling put in.

        Raises:
            UserError: the category does not exist, or is missing, or the dataset has no categories.
        """
        if not self.categories:
            if category is not None:
                raise UserError(f"{self.name} has no categories: leave out --category")
            return self.files
        spellings = {name.casefold(): name for name in self.categories}
        if category is None:
            raise UserError(f"{self.name} needs --category, one of {', '.join(self.categories)}")
        wanted = re.sub(r"[\s-]+", "_", category.strip()).casefold()
        if wanted not in spellings:
            hint = did_you_mean(wanted, self.categories) or f"; there are {', '.join(self.categories)}"
            raise UserError(f"--category {category}: {self.name} has no such category{hint}")
        chosen = spellings[wanted]
        return tuple(
            replace(
                file,
                name=file.name.replace("{category}", chosen),
                urls=tuple(url.replace("{category}", chosen) for url in file.urls),
            )
            for file in self.files
        )


@dataclass(frozen=True)
class Addresses:
    """The content of an addresses file, with its path for messages."""

    path: Path
    datasets: dict[str, Dataset]

    def find(self, name: str) -> Dataset:
        """Return a dataset by its name in any letter case. Raises UserError."""
        if name.casefold() not in self.datasets:
            hint = did_you_mean(name, self.datasets) or f"; there are {', '.join(self.datasets)}"
            raise UserError(f"no dataset {name} in {self.path}{hint}")
        return self.datasets[name.casefold()]


def load_addresses(path: Path | None = None) -> Addresses:
    """Return the content of an addresses file, by default of the shipped one.

    Raises:
        UserError: it is missing or malformed; the message names the file and the key.
    """
    path = path or configs_folder() / FILE
    content = read_mapping(path, "datasets by name")
    return Addresses(path, {str(name): _dataset(path, str(name), entry) for name, entry in content.items()})


def _dataset(path: Path, name: str, entry: Any) -> Dataset:
    if not NAME.fullmatch(name) or name == "images":
        raise UserError(f"{path}: {name}: a dataset's name is made of a-z, 0-9, '.', '-' and '_', and is not 'images'")
    _check_keys(path, name, entry, DATASET_KEYS, {"files"})
    categories = entry.get("categories") or []
    files = entry["files"]
    if not isinstance(categories, list) or not all(FILE_NAME.fullmatch(str(each)) for each in categories):
        raise UserError(f"{path}: {name}.categories must be a list of names")
    if not isinstance(files, list) or not files:
        raise UserError(f"{path}: {name}.files must be a list")
    about, home, licence, citation = (
        " ".join(str(entry.get(key, "")).split()) for key in ("about", "home", "licence", "citation")
    )
    return Dataset(
        name=name,
        about=about,
        home=home,
        licence=licence,
        citation=citation,
        categories=tuple(map(str, categories)),
        files=tuple(_file(path, f"{name}.files.{n}", file, bool(categories)) for n, file in enumerate(files)),
    )


def _file(path: Path, key: str, entry: Any, has_categories: bool) -> RemoteFile:
    _check_keys(path, key, entry, FILE_KEYS, {"url"})
    mirrors = entry.get("mirrors") or []
    if not isinstance(mirrors, list):
        raise UserError(f"{path}: {key}.mirrors must be a list of addresses")
    urls = tuple(map(str, [entry["url"], *mirrors]))
    for url in urls:
        try:
            parse_url(url)
        except TransferError:
            raise UserError(f"{path}: {key}: {url} is not an http or https address") from None
    name = urls[0].rsplit("/", 1)[-1]
    if not FILE_NAME.fullmatch(name.replace("{category}", "C")) or (has_categories != ("{category}" in name)):
        hint = "with {category} in it" if has_categories else "without {category}"
        raise UserError(f"{path}: {key}.url must end in the name of a file, {hint}, not in {name!r}")
    if entry.get("unpack") not in (None, "zip"):
        raise UserError(f"{path}: {key}.unpack must be zip, or left out to keep the file as it is")
    if not isinstance(entry.get("bytes", 0), int):
        raise UserError(f"{path}: {key}.bytes must be a whole number")
    for hash_name, digits in HASH_DIGITS.items():
        if entry.get(hash_name) and not re.fullmatch(f"[0-9a-fA-F]{{{digits}}}", str(entry[hash_name])):
            raise UserError(f"{path}: {key}.{hash_name} must be {digits} hexadecimal digits")
    sums = {name: str(entry[name]).lower() for name in HASH_DIGITS if entry.get(name)}
    expected = Expected(entry.get("bytes"), **sums)
    return RemoteFile(key, name, urls, entry.get("unpack") == "zip", expected)


def _check_keys(path: Path, place: str, entry: Any, known: set[str], needed: set[str]) -> None:
    if not isinstance(entry, dict):
        raise UserError(f"{path}: {place} must have the keys {', '.join(sorted(known))}")
    for key in needed - set(entry):
        raise UserError(f"{path}: {place}.{key} is missing")
    for key in set(map(str, entry)) - known:
        raise UserError(f"{path}: {place}.{key} is an unknown key; there are {', '.join(sorted(known))}")
