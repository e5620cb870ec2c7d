"""Build the documentation as a site in `site/`: `python tools/build_site.py`.

The pages of `docs/` are taken as they are. To them come the notebooks, the changelog, the tables of options and the
reference, which are made from the code. The build fails for a dead link, for a public name that the reference lacks,
and for a page that would load something from the network.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from time import perf_counter
from typing import Any

import yaml
from site_check import count_words, find_faults
from site_options import options_page
from site_reference import reference_pages

ROOT = Path(__file__).parents[1]
WORK = ROOT / ".site"
PAGES = WORK / "pages"
SITE = ROOT / "site"
FROM_REPOSITORY = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CODE_OF_CONDUCT.md": "code-of-conduct.md",
    "experiments/LOG.md": "log.md",
    "experiments/paper/ml1m/table3.md": "table3.md",
    "experiments/paper/ml1m/table5.md": "table5.md",
}
"""Pages of the site that are kept elsewhere in the repository."""
LINK = re.compile(r"\[([^\[\]]*)\]\((?!https?:|#|mailto:)([^)#\s]+)(#[^)\s]*)?\)")


def main() -> None:
    """Write the pages, build the site and check it."""
    start = perf_counter()
    shutil.rmtree(WORK, ignore_errors=True)
    shutil.rmtree(SITE, ignore_errors=True)
    write_pages()
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    config |= {"docs_dir": "pages", "site_dir": "built"}
    config["nav"] = expand(config["nav"])
    listed = str(config["nav"])
    missing = [page.name for page in PAGES.glob("*.md") if f"'{page.name}'" not in listed]
    if missing:
        sys.exit(f"mkdocs.yml: its nav lacks {', '.join(sorted(missing))}")
    config["plugins"][1]["mkdocstrings"]["handlers"]["python"]["paths"] = [str(ROOT)]
    (WORK / "mkdocs.yml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "-f", "mkdocs.yml"]
    built = subprocess.run(command, cwd=WORK, env=environment, check=False)
    if built.returncode:
        sys.exit(f"the site was not built: zensical ended with status {built.returncode}")
    shutil.move(WORK / "built", SITE)
    faults = find_faults(SITE, ROOT / "mmrec")
    if faults:
        sys.exit("\n".join([*faults, f"{len(faults)} faults in the site"]))
    pages = sum(1 for _ in SITE.rglob("*.html"))
    print(f"site/index.html: {pages} pages, {count_words(SITE):,} words, in {perf_counter() - start:.0f} s")


def write_pages() -> None:
    """Fill the folder of pages: those of `docs/`, those of the repository, and those made from the code."""
    shutil.copytree(ROOT / "docs", PAGES)
    for source, name in FROM_REPOSITORY.items():
        shutil.copyfile(ROOT / source, PAGES / name)
    write_notebooks()
    (PAGES / "options.md").write_text(options_page(), encoding="utf-8")
    for name, text in reference_pages(ROOT / "mmrec").items():
        file = PAGES / "reference" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    homes = {**{f"docs/{page.name}": page.name for page in (ROOT / "docs").glob("*.md")}, **FROM_REPOSITORY}
    homes["README.md"] = "index.md"
    for source, name in homes.items():
        if source != "README.md":
            page = PAGES / name
            page.write_text(relink(page.read_text(encoding="utf-8"), Path(source).parent, homes), encoding="utf-8")


def write_notebooks() -> None:
    """Write each notebook as a page with its outputs."""
    from nbconvert import MarkdownExporter

    folder = PAGES / "tutorials"
    folder.mkdir()
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        text, resources = MarkdownExporter().from_filename(str(notebook))
        for name, content in resources.get("outputs", {}).items():
            (folder / f"{notebook.stem}_{name}").write_bytes(content)
            text = text.replace(f"]({name})", f"]({notebook.stem}_{name})")
        note = f"*This page is the notebook `notebooks/{notebook.name}`, run by the tests.*"
        text = re.sub(r"^(# .+)$", rf"\1\n\n{note}", text, count=1, flags=re.MULTILINE)
        text = text.replace("](../docs/", "](../").replace(".ipynb)", ".md)")
        (folder / f"{notebook.stem}.md").write_text(text, encoding="utf-8")


def relink(text: str, folder: Path, homes: dict[str, str]) -> str:
    """Return a page whose links lead to the pages of the site; a link to another file becomes its path.

    Args:
        text: the page.
        folder: its folder in the repository.
        homes: page of the site by file of the repository.
    """

    def replace(match: re.Match[str]) -> str:
        path = os.path.normpath(folder / match[2])
        if path in homes:
            return f"[{match[1]}]({homes[path]}{match[3] or ''})"
        return match[0] if path.startswith("docs/") else match[1]

    both = r"![\1](\2.svg#only-light)![\1](\2-dark.svg#only-dark)"  # one image for each colour scheme
    return re.sub(r"!\[([^\]]*)\]\((architecture)\.svg\)", both, LINK.sub(replace, text))


def expand(nav: Iterable[Any]) -> list[Any]:
    """Return the navigation with the pages of a folder in the place of its name, "reference/"."""
    made: list[Any] = []
    for entry in nav:
        title, value = next(iter(entry.items()))
        if isinstance(value, str) and value.endswith("/"):
            pages = sorted((PAGES / value).glob("*.md"), key=lambda page: (page.stem != "mmrec", page.stem))
            made.append({title: [{_title(page): f"{value}{page.name}"} for page in pages]})
        else:
            made.append({title: expand(value) if isinstance(value, list) else value})
    return made


def _title(page: Path) -> str:
    return page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


if __name__ == "__main__":
    main()
