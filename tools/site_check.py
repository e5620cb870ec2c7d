"""Faults of the built site: dead links, public names that the reference lacks, and what would need a network."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from site_reference import LEFT_OUT

LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src"}
"""Attributes whose file the browser fetches with the page."""


@dataclass
class Page:
    """What a page links to and is linked by."""

    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    words: int = 0


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self.depth_of_article = 0
        self.silent = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        own = {name: value or "" for name, value in attrs}
        if "id" in own:
            self.page.ids.add(own["id"])
        if tag == "a" and "name" in own:
            self.page.ids.add(own["name"])
        if tag == "a" and "href" in own:
            self.page.links.append(own["href"])
        rel = own.get("rel", "")
        if tag in LOADED and own.get(LOADED[tag]) and rel not in ("canonical", "next", "prev", "edit"):
            self.page.loaded.append(own[LOADED[tag]])
        self.depth_of_article += tag == "article"
        self.silent = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self.depth_of_article -= tag == "article"
        self.silent = False

    def handle_data(self, data: str) -> None:
        if self.depth_of_article and not self.silent:
            self.page.words += len(data.split())


@cache
def read(file: Path) -> Page:
    """Return what a page of the site holds."""
    reader = _Reader()
    reader.feed(file.read_text(encoding="utf-8"))
    return reader.page


def count_words(site: Path) -> int:
    """Return the number of words in the articles of all pages."""
    return sum(read(file).words for file in site.rglob("*.html"))


def find_faults(site: Path, package: Path) -> list[str]:
    """Return one line per fault.

    Args:
        site: folder of the built site.
        package: folder of mmrec, whose public names the reference must hold.
    """
    faults: list[str] = []
    for file in sorted(site.rglob("*.html")):
        page, name = read(file), file.relative_to(site).as_posix()
        if name == "404.html":
            continue  # its links start at the root of the host
        faults += [f"{name}: loads {address}" for address in page.loaded if urlsplit(address).netloc]
        faults += [f"{name}: dead link {link}" for link in page.links + page.loaded if not _leads(file, link)]
    documented = {own for file in (site / "reference").glob("*.html") for own in read(file).ids}
    faults += [f"not in the reference: {name}" for name in public_names(package) if name not in documented]
    return faults


def public_names(package: Path) -> list[str]:
    """Return the functions and classes of all public modules."""
    names: list[str] = []
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(package.parent).with_suffix("").parts
        if parts[1] in LEFT_OUT or any(part.startswith("_") for part in parts):
            continue
        defined = [one for one in ast.parse(file.read_text()).body if isinstance(one, ast.FunctionDef | ast.ClassDef)]
        names += [".".join((*parts, one.name)) for one in defined if not one.name.startswith("_")]
    return names


def _leads(file: Path, link: str) -> bool:
    """Whether a link leads outside, or to a file of the site and, where it names one, to an anchor in it."""
    address = urlsplit(link)
    if address.scheme or address.netloc or link.startswith("javascript:"):
        return True
    target = (file.parent / unquote(address.path)).resolve() if address.path else file
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return False
    wanted = unquote(address.fragment)
    return not wanted or target.suffix != ".html" or wanted in read(target).ids or wanted.startswith("__")
