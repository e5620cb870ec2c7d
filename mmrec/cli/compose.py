"""From what a user types to what the parser reads: shipped files by name, and sections that replace others whole.

| on the command line | meaning |
|---|---|
| `--config FILE` | a run configuration, or a part of one; a shipped file is found from any folder |
| `--data NAME` or `--data FILE` | the data section: a file of `lightning_configs/data`, or one of the user |
| `--model NAME` or `--model FILE` | the model section: a file of `lightning_configs/model`, or one of the user |
| `--model CLASS` | a model with its default options, for example SASRec |

A file given by `--data` or `--model` replaces the section of the configurations before it as a whole: no key of another
dataset or model is left over. Options after it change single keys, as do configurations after it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmrec.cli.renamed import CONFIGS, refuse_old_names
from mmrec.errors import UserError
from mmrec.utils.files import read_mapping
from mmrec.utils.shipped import configs_folder, find_config
from mmrec.utils.suggest import did_you_mean

SECTIONS = ("trainer", "data", "model")
"""Parts of a run configuration that may be files of their own."""
REPLACED = {"data": ("data",), "model": ("model", "name")}
"""Keys of earlier configurations that a section given by itself replaces: a model brings the name of its run."""
KEYS = (
    *SECTIONS, "seed_everything", "name", "runs", "test_after_fit", "explain", "loss_precision", "compile", "tracking",
    "optimizer", "lr_scheduler", "ckpt_path", "weights_only", "verbose", "return_predictions", "top_k", "users",
    "from",
)  # fmt: skip
"""Top-level keys of a run configuration."""


@dataclass
class _Option:
    """One of the options that name files: what it is called and what it is given."""

    name: str
    value: str


def compose(args: Sequence[str]) -> list[str]:
    """Return the arguments with files found, names resolved and replaced sections taken out.

    Args:
        args: command line of `lightning` or `mmrec`, without the program's name.

    Raises:
        UserError: a file does not exist, is not valid, or has a key or class path of an earlier version.
    """
    words = list(_split(args))
    for place, word in enumerate(words):
        if not isinstance(word, _Option):
            continue
        if word.name == "config":
            config = _find(word.value)
            words[place] = _Option("config", str(config))
            read_config(config)
        elif (section := _section_file(word)) is not None:
            words[place] = _Option(word.name, str(section))
            read_section(section, word.name)
    words = _without_replaced(words)
    front = 1 if words and isinstance(words[0], str) and not words[0].startswith("-") else 0  # the subcommand
    name = _name(words)
    if name is not None:
        words.insert(front, f"--name={name}")
    return [part for word in words for part in ([word] if isinstance(word, str) else [f"--{word.name}", word.value])]


def data_section(args: Sequence[str]) -> list[str]:
    """Return what of a run's arguments concerns its data, for commands that prepare data and train nothing."""
    kept: list[str] = []
    value_follows = False  # the value of an option that was left out
    for word in _split(compose(args)):
        if isinstance(word, _Option):
            if word.name == "config":
                data = _load(word.value).get("data")
                kept += [] if data is None else ["--config", json.dumps({"data": data})]
            elif word.name == "data":
                kept += ["--data", word.value]
        elif word.startswith("--"):
            key = word.removeprefix("--").partition("=")[0].partition(".")[0]
            keep = key == "data" or key not in KEYS
            kept += [word] if keep else []
            value_follows = not keep and "=" not in word
        elif not value_follows:
            kept.append(word)
        else:
            value_follows = False
    return kept


def read_config(file: Path) -> dict[str, Any]:
    """Read a run configuration, with the files that it names for its sections put in their place.

    Raises:
        UserError: a file cannot be read, or has a key that no run configuration has.
    """
    content = read_mapping(file, "options, for example `max_length: 50`")
    unknown = [key for key in content if key not in KEYS]
    refuse_old_names(content, str(file))
    if "source" in content or "class_path" in content:
        section = "data" if "source" in content else "model"
        raise UserError(f"{file}: holds a {section} section alone, so give it by --{section} {file}")
    if unknown:
        raise UserError(
            f"{file}: {unknown[0]} is not a key of a run configuration{did_you_mean(unknown[0], KEYS)}; "
            f"these are: {', '.join(KEYS)}"
        )
    for section in SECTIONS:
        value = content.get(section)
        if isinstance(value, str) and value.endswith((".yaml", ".yml")):
            content[section] = read_section(file.parent / value, section)
    return content


def read_section(file: Path, section: str) -> dict[str, Any]:
    """Read a file that holds one section of a run configuration.

    Raises:
        UserError: the file cannot be read, or holds a whole configuration.
    """
    content = read_mapping(file, "options, for example `max_length: 50`")
    refuse_old_names({section: content}, str(file))
    if section in content:
        raise UserError(f"{file}: holds a whole configuration, so give it by --config {file}")
    return content


def shipped_names(section: str) -> list[str]:
    """Return the names of the shipped files of a section, "data" or "model"."""
    return sorted(path.stem for path in (configs_folder() / section).glob("*.yaml"))


def _split(args: Sequence[str]) -> Iterator[str | _Option]:
    """Yield the arguments, those that name files as options with their values."""
    rest = iter(args)
    for arg in rest:
        name, equals, value = arg.partition("=")
        name = {"-c": "config"}.get(name, name.removeprefix("--"))
        if arg.startswith("-") and name in ("config", *SECTIONS):
            given = value if equals else next(rest, None)
            if given is None:
                raise UserError(f"--{name} needs a value")
            yield _Option(name, given)
        else:
            yield arg


def _without_replaced(words: list[str | _Option]) -> list[str | _Option]:
    """Take the keys out of each configuration that a section given after it replaces."""
    kept: list[str | _Option] = []
    replaced: set[str] = set()
    for word in reversed(words):
        if isinstance(word, _Option):
            if word.name == "config" and replaced:
                content = read_config(Path(word.value))
                if replaced & content.keys():
                    content = {key: value for key, value in content.items() if key not in replaced}
                    word = _Option("config", json.dumps(content))
            replaced.update(REPLACED.get(word.name, ()))
        kept.append(word)
    return [word for word in reversed(kept) if not (isinstance(word, _Option) and word.value == "{}")]


def _name(words: Sequence[str | _Option]) -> str | None:
    """Return the name of the model's file; None if another section decides the class."""
    name: str | None = None
    decides: str | None = None  # the class
    for word in words:
        if not isinstance(word, _Option) or word.name not in ("model", "config"):
            continue
        file = word.value.endswith((".yaml", ".yml"))
        if word.name == "model":
            section = read_section(Path(word.value), "model") if file else {"class_path": word.value}
            name = Path(word.value).stem if file else None
        else:
            section = _load(word.value).get("model") or {}
        path = section if isinstance(section, str) else section.get("class_path", decides)
        named = str(path).rpartition(".")[2]
        if word.name == "config" and named != decides:
            name = None
        decides = named
    return name


def _load(value: str) -> dict[str, Any]:
    """Return the content of a `--config` that `compose` has returned: a file, or JSON."""
    content: dict[str, Any] = json.loads(value) if value.startswith("{") else read_config(Path(value))
    return content


def _section_file(option: _Option) -> Path | None:
    """Return the file of a section; None for a class of a model, which the parser knows."""
    if option.name == "trainer" or option.value.endswith((".yaml", ".yml")):
        file = Path(option.value)
        if not file.is_file():
            raise UserError(f"--{option.name} {option.value}: no such file")
        return file
    shipped = configs_folder() / option.name / f"{option.value}.yaml"
    if shipped.is_file():
        return shipped
    if option.name == "model":
        if option.value in CONFIGS:
            raise UserError(f"--model {option.value} is now --model {CONFIGS[option.value]}")
        if not option.value.islower():
            return None
    raise UserError(
        f"--{option.name} {option.value}: not a shipped {option.name} configuration, nor a YAML file"
        f"{did_you_mean(option.value, shipped_names(option.name))}; there are: {', '.join(shipped_names(option.name))}"
    )


def _find(value: str) -> Path:
    if (found := find_config(value)) is not None:
        return Path(found)
    datasets, models = shipped_names("data"), shipped_names("model")
    for dataset in datasets:  # an earlier version had one file for each pair
        model = Path(value).stem.removeprefix(f"{dataset}_")
        model = CONFIGS.get(model, model)
        if model in models and Path(value).stem != model:
            raise UserError(f"--config {value} is now --data {dataset} --model {model}")
    raise UserError(
        f"--config {value}: no such file here, nor among the shipped ones; compose a run by --data NAME --model NAME; "
        f"datasets: {', '.join(datasets)}; models: {', '.join(models)}"
    )
