"""The page of every option: models, data, sources, encoders and tracking, read from the code."""

from __future__ import annotations

import inspect
import re
from typing import Any

import docstring_parser
import yaml

from mmrec import models
from mmrec.data import sources
from mmrec.data.datamodule import RecDataModule
from mmrec.data.features import encoders
from mmrec.data.prepare.options import PrepareOptions
from mmrec.explain.callback import ExplainRecommendations
from mmrec.models.recommender import FROM_DATA, Recommender
from mmrec.training.tracking import Tracking
from mmrec.utils.shipped import configs_folder

HEAD = """# Every option

Made from the code when the site is built. Each is set on the command line (`--model.init_args.lr 0.001`,
`--data.max_length 100`), in a configuration, or as an argument in Python.
"""


def options_page() -> str:
    """Return the page in Markdown."""
    parts = [HEAD, "## Models\n"]
    forms = _forms()
    for name in sorted(models.__all__, key=str.lower):
        cls = getattr(models, name)
        if isinstance(cls, type) and issubclass(cls, Recommender) and cls is not Recommender:
            parts += [f"### {name}\n", _summary(cls), _forms_of(forms.get(name, {})), _table(cls, "model.init_args")]
    parts += ["## Data\n", "### RecDataModule\n", _table(RecDataModule, "data")]
    parts += ["### Preparation\n", _table(PrepareOptions, "data.prepare")]
    for title, module, key in (
        ("Sources", sources, "data.source.init_args"), ("Encoders", encoders, "data.encoder.init_args"),
    ):  # fmt: skip
        parts.append(f"## {title}\n")
        for name in sorted(module.__all__, key=str.lower):
            cls = getattr(module, name)
            if isinstance(cls, type) and not inspect.isabstract(cls) and inspect.signature(cls).parameters:
                parts += [f"### {name}\n", _summary(cls), _table(cls, key)]
    parts += ["## Run\n", "### Tracking\n", _table(Tracking, "tracking")]
    parts += ["### Explanations after the test\n", _table(ExplainRecommendations, "trainer.callbacks")]
    return "\n".join(part for part in parts if part)


def _forms() -> dict[str, dict[str, dict[str, Any]]]:
    """Return the options of the shipped configurations by class and name."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for file in sorted((configs_folder() / "model").glob("*.yaml")):
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        found.setdefault(content["class_path"].rpartition(".")[2], {})[file.stem] = content.get("init_args") or {}
    return found


def _forms_of(forms: dict[str, dict[str, Any]]) -> str:
    lines = [
        f"- `--model {name}`: "
        + (", ".join(f"`{key}: {_plain(value)}`" for key, value in own.items()) or "the defaults")
        for name, own in forms.items()
    ]
    return "\n".join(lines) + "\n" if lines else ""


def _summary(cls: type) -> str:
    return (docstring_parser.parse(inspect.getdoc(cls) or "").short_description or "").replace("\n", " ") + "\n"


def _table(cls: type, key: str) -> str:
    words = _words(cls)
    lines = [f"Keys: `{key}.`\n", "| option | type | default | meaning |", "|---|---|---|---|"]
    for name, parameter in inspect.signature(cls).parameters.items():
        if name in FROM_DATA and issubclass(cls, Recommender):
            continue  # the data give it
        default = "required" if parameter.default is parameter.empty else f"`{_plain(parameter.default)}`"
        lines.append(f"| `{name}` | {_type(parameter.annotation)} | {default} | {_cell(words.get(name, ''))} |")
    return "\n".join(lines) + "\n"


def _words(cls: type) -> dict[str, str]:
    """Return the description of each argument, of the class or of the first parent that has one."""
    found: dict[str, str] = {}
    for one in cls.__mro__:
        for text in (one.__doc__, one.__dict__.get("__init__", None) and one.__init__.__doc__):
            for parameter in docstring_parser.parse(inspect.cleandoc(text or "")).params:
                found.setdefault(parameter.arg_name, parameter.description or "")
    return found


def _type(annotation: Any) -> str:
    text = "" if annotation is inspect.Parameter.empty else str(annotation)
    return _cell(f"`{re.sub(r'mmrec[.]|typing[.]', '', text)}`") if text else ""


def _plain(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value) if isinstance(value, str | int | float | list | dict | tuple) else type(value).__name__ + "()"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
