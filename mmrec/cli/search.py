"""`mmrec search`: options chosen on the validation split. Sweep files of W&B are run here by Optuna.

A sweep file has the form that `wandb sweep` reads, of which this understands

| key | |
|---|---|
| `command` | `[mmrec, lightning, fit, --config, RUN.yaml, ..., "${args}"]`: what a trial runs; `${}` is W&B's own |
| `metric` | `name`, a metric of the validation split, and `goal`, maximize or minimize |
| `parameters` | by key of the config: `values` to choose from, `value`, or `min` and `max` with a `distribution` |

with the distributions `uniform`, `log_uniform_values`, `int_uniform` and `q_uniform` (step `q`) of a range; that of
`values` may be named `categorical` and that of `value` `constant`. Trials are proposed by Optuna's tree of Parzen
estimators (Bergstra et al., NeurIPS 2011) and stopped early when they are below the median of the others at the same
epoch. The test split is never read.
"""

from __future__ import annotations

import json
import math
from argparse import ArgumentError
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import yaml  # type: ignore[import-untyped]
from jsonargparse import ArgumentParser

from mmrec.cli.compose import compose
from mmrec.cli.lightning import config_parser, run
from mmrec.cli.run_identity import identify
from mmrec.errors import Diverged, UserError, require
from mmrec.utils.files import read_mapping, write_whole
from mmrec.utils.shipped import find_config

try:
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
except ImportError:
    raise UserError("optuna is not installed: pip install 'mmrec[search]'") from None

UNPRUNED_TRIALS = 5  # before there is a median to be below of
UNPRUNED_EPOCHS = 10  # slow starters catch up after some epochs
DISTRIBUTIONS: dict[str, Callable[[optuna.Trial, str, dict[str, Any]], Any]] = {
    "uniform": lambda trial, name, spec: trial.suggest_float(name, spec["min"], spec["max"]),
    "log_uniform_values": lambda trial, name, spec: trial.suggest_float(name, spec["min"], spec["max"], log=True),
    "int_uniform": lambda trial, name, spec: trial.suggest_int(name, spec["min"], spec["max"]),
    "q_uniform": lambda trial, name, spec: trial.suggest_float(name, spec["min"], spec["max"], step=spec["q"]),
}
QUIET = ("--trainer.enable_progress_bar", "false", "--trainer.enable_model_summary", "false")
LISTED = {"value": "constant", "values": "categorical"}
"""Keys of an option that has no range, and W&B's distribution for each."""
GOALS = ("maximize", "minimize")
FULL_RANKING = ("--data.candidates", "all", "--data.mask_history", "true")
"""The protocol that `identify` asks for; that of a study is recorded apart."""


def search(args: Sequence[str]) -> None:
    """Search for options on the validation split, as a sweep file says."""
    parser = ArgumentParser(prog="mmrec search", description=search.__doc__, exit_on_error=False)
    parser.add_argument("sweep", help="a sweep file, see lightning_configs/sweeps")
    parser.add_argument("--trials", type=int, default=30, help="finished trials to reach, earlier calls included")
    parser.add_argument("--folder", type=Path, default=Path("runs/search"), help="where trials are kept")
    options = parser.parse_args(list(args))
    sweep = read_sweep(Path(find_config(options.sweep) or options.sweep))
    best = find_options(sweep, options.trials, options.folder)
    print(f"{best}:\n{best.read_text(encoding='utf-8')}", end="")


@dataclass(frozen=True)
class Sweep:
    """What a sweep file specifies.

    Args:
        name: name of the file.
        args: arguments of `lightning` in every trial.
        metric: metric of the validation split.
        maximize: whether a higher value is better.
        parameters: specification of each option that varies, by its key.
    """

    name: str
    args: list[str]
    metric: str
    maximize: bool
    parameters: dict[str, dict[str, Any]]


def read_sweep(file: Path) -> Sweep:
    """Read a sweep file.

    Raises:
        UserError: it is not a sweep, or asks for something that this does not understand.
    """
    content = read_mapping(file, "a sweep's keys")
    if not {"command", "metric", "parameters"} <= content.keys():
        raise UserError(f"{file}: a sweep has the keys command, metric and parameters")
    for key in ("metric", "parameters"):
        if not isinstance(content[key], dict):
            raise UserError(f"{file}: {key} must be a mapping, but is {content[key]!r}")
    if not isinstance(content["command"], list) or "fit" not in content["command"]:
        raise UserError(f"{file}: command must run `fit`, as a list of words, but is {content['command']!r}")
    command = [str(part) for part in content["command"] if not str(part).startswith("${")]
    metric = content["metric"]
    if not str(metric.get("name")).startswith("valid/"):
        raise UserError(f"{file}: metric.name must be of the validation split (valid/...), but is {metric.get('name')}")
    if metric.get("goal") not in GOALS:
        raise UserError(f"{file}: metric.goal must be {' or '.join(GOALS)}, but is {metric.get('goal')}")
    return Sweep(
        file.stem, command[command.index("fit") :], metric["name"], metric["goal"] == "maximize",
        {name: _read_parameter(f"{file}: parameters.{name}", spec) for name, spec in content["parameters"].items()},
    )  # fmt: skip


def _read_parameter(key: str, spec: Any) -> dict[str, Any]:
    """Return the checked specification of an option, the ends of its range as numbers.

    Args:
        key: file and key of the specification, for the message.
        spec: what the file holds there.
    """
    given = spec.keys() if isinstance(spec, dict) else ()
    for name, distribution in LISTED.items():
        if name in given:
            if spec.get("distribution", distribution) != distribution:
                raise UserError(f"{key}.distribution must be {distribution} for {name}, but is {spec['distribution']}")
            if name == "values" and not (isinstance(spec[name], list) and spec[name]):
                raise UserError(f"{key}.values must be a list of at least one value, but is {spec[name]!r}")
            return dict(spec)
    if "min" not in given or "max" not in given or str(spec.get("distribution", "uniform")) not in DISTRIBUTIONS:
        raise UserError(f"{key} needs values, value, or min and max with a distribution of {', '.join(DISTRIBUTIONS)}")
    distribution = spec.get("distribution")
    if distribution == "q_uniform" and "q" not in given:
        raise UserError(f"{key} is q_uniform and needs q, its step")
    numbers = {name: _read_number(f"{key}.{name}", spec[name]) for name in ("min", "max", "q") if name in given}
    if numbers["min"] > numbers["max"]:
        raise UserError(f"{key}.min must be at most max, {numbers['max']}, but is {numbers['min']}")
    if distribution == "log_uniform_values" and numbers["min"] <= 0:
        raise UserError(f"{key}.min must be above 0 for {distribution}, but is {numbers['min']}")
    if numbers.get("q", 1) <= 0:
        raise UserError(f"{key}.q must be above 0, but is {numbers['q']}")
    if distribution == "int_uniform" and (broken := [name for name in numbers if not isinstance(numbers[name], int)]):
        raise UserError(f"{key}.{broken[0]} must be a whole number for {distribution}, but is {numbers[broken[0]]}")
    return {**spec, **numbers}


def _read_number(key: str, value: Any) -> int | float:
    """Return a number of a sweep; 1e-4 is one, though the YAML library reads it as text for lack of a point."""
    try:
        number = float(value) if isinstance(value, str) else value
    except ValueError:
        number = None
    if not isinstance(number, int | float) or isinstance(number, bool) or not math.isfinite(number):
        raise UserError(f"{key} must be a number, but is {value!r}")
    return number


def find_options(sweep: Sweep, trials: int, folder: Path) -> Path:
    """Run trials until there are so many, and write the best one's options as a config to lay over the run's.

    Every trial is kept in `<folder>/<name>.journal`: the same call goes on after an interruption, which loses the trial
    in progress alone, and several processes may share the work. So that these propose apart, proposals have no seed.
    Trials whose values cannot be compared with those of this sweep are refused, see `describe`.

    Args:
        sweep: the specification.
        trials: number of finished or pruned trials to reach, of all processes and calls together.
        folder: folder for the journal, the best options and the runs of the trials.

    Returns:
        `<folder>/<name>.yaml`.

    Raises:
        UserError: a trial cannot run, none has finished, or the journal holds trials of another search.
    """
    require(trials >= 1, "--trials", trials, "at least 1")
    description = describe(sweep)
    folder.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    file = folder / f"{sweep.name}.journal"
    mend_journal(file)
    journal = JournalFileBackend(str(file))
    study = optuna.create_study(
        study_name=sweep.name,
        storage=optuna.storages.JournalStorage(journal),
        direction="maximize" if sweep.maximize else "minimize",
        sampler=optuna.samplers.TPESampler(multivariate=True, constant_liar=True),
        pruner=optuna.pruners.MedianPruner(UNPRUNED_TRIALS, UNPRUNED_EPOCHS),
        load_if_exists=True,
    )
    keep_description(study, description, file)
    done = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    enough = optuna.study.MaxTrialsCallback(trials, states=done)
    if len(study.get_trials(deepcopy=False, states=done)) < trials:
        study.optimize(lambda trial: _objective(trial, sweep, folder), callbacks=[enough, _tell])
    if not study.get_trials(deepcopy=False, states=done[:1]):
        raise UserError("no trial has finished: every one was stopped early or diverged; raise --trials")
    best = folder / f"{sweep.name}.yaml"
    write_whole(best, yaml.safe_dump(_nested(study.best_trial.user_attrs["options"]), sort_keys=False))
    return best


def describe(sweep: Sweep) -> dict[str, Any]:
    """Return what all trials of a study have in common, by name; otherwise their values cannot be compared.

    Configuration and data are read with the first value of each parameter, which finds a change of any file that the
    arguments name and of the raw data. The version of the code is left out, so that a study outlives an update.

    Raises:
        UserError: a configuration or a raw data file is missing.
    """
    first = {name: _first(spec) for name, spec in sweep.parameters.items()}
    args = [*sweep.args[1:], *_words(first)]
    goal = "maximize" if sweep.maximize else "minimize"
    found = {"args": sweep.args, "parameters": sweep.parameters, "metric": sweep.metric, "goal": goal}
    try:
        protocol = config_parser().parse_args(compose(args)).data
        identity = identify([*args, *FULL_RANKING])
    except ArgumentError:  # an option of `fit` alone, for example --optimizer; a wrong one is named by the first trial
        return {**found, "protocol": None, "configuration": None, "data": None}
    return {
        **found,
        "protocol": f"candidates {protocol.candidates}, mask_history {protocol.mask_history}",
        "configuration": identity.config,
        "data": identity.data,
    }


def keep_description(study: optuna.Study, description: Mapping[str, Any], journal: Path) -> None:
    """Record what all trials of a study have in common.

    Args:
        study: the study, new or loaded.
        description: see `describe`.
        journal: file of the study, for the message.

    Raises:
        UserError: the trials of the study have another description, or none since an earlier version began it.
    """
    begun = bool(study.get_trials(deepcopy=False))
    held = study.user_attrs
    for name, value in description.items():
        if (name in held or begun) and held.get(name) != value:
            shown = f" ({held.get(name) or 'not recorded'}, now {value})" if isinstance(value, str) else ""
            if name == "configuration":
                shown = " (a file that the command names has changed)"
            raise UserError(
                f"{journal} holds trials of other {name}{shown}: remove it, pass another --folder, or rename the sweep"
            )
        study.set_user_attr(name, value)


def mend_journal(file: Path) -> None:
    """Drop the last record of a journal if a killed process has written only a part of it.

    Raises:
        UserError: another record is damaged.
    """
    if not file.is_file():
        return
    lock = JournalFileSymlinkLock(str(file))
    lock.acquire()
    try:
        content = file.read_bytes()
        lines = content.splitlines(keepends=True)
        for number, line in enumerate(lines, 1):
            if not _is_record(line):
                if number < len(lines):
                    raise UserError(
                        f"{file}:{number}: not a record of a search: remove the line, or pass another --folder"
                    )
                with file.open("rb+") as stream:
                    stream.truncate(len(content) - len(line))
    finally:
        lock.release()


def _is_record(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _objective(trial: optuna.Trial, sweep: Sweep, folder: Path) -> float:
    options = {name: _suggest(trial, name, spec) for name, spec in sweep.parameters.items()}
    trial.set_user_attr("options", options)
    report = Report(trial, sweep)
    ours = ["--name", f"{sweep.name}_{trial.number}", "--runs", str(folder), "--test_after_fit", "false"]
    quiet = ["--tracking.wandb", "false", *QUIET]
    try:
        run([*sweep.args, *_words(options), *ours, *quiet], callbacks=[report])
    except Diverged:
        raise optuna.TrialPruned from None
    if report.best is None:
        raise UserError(f"the trial logged no {sweep.metric}: choose a metric that validation logs")
    if report.pruned:
        raise optuna.TrialPruned
    return report.best


def _suggest(trial: optuna.Trial, name: str, spec: dict[str, Any]) -> Any:
    if "value" in spec:
        return spec["value"]
    if "values" in spec:
        return trial.suggest_categorical(name, spec["values"])
    whole = all(isinstance(spec[end], int) for end in ("min", "max"))
    return DISTRIBUTIONS[spec.get("distribution", "int_uniform" if whole else "uniform")](trial, name, spec)


def _first(spec: dict[str, Any]) -> Any:
    """Return the first value of a parameter."""
    return spec["value"] if "value" in spec else spec["values"][0] if "values" in spec else spec["min"]


def _words(options: Mapping[str, Any]) -> list[str]:
    """Return options as words of a command line."""
    given = {name: value if isinstance(value, str) else json.dumps(value) for name, value in options.items()}
    return [word for name, value in given.items() for word in (f"--{name}", value)]


def _tell(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
    shown = "stopped early" if trial.value is None else f"{trial.value:.4f}"
    options = ", ".join(f"{name.rpartition('.')[2]} {value}" for name, value in trial.params.items())
    best = "" if not study.best_trials else f"; best so far {study.best_value:.4f} of trial {study.best_trial.number}"
    print(f"trial {trial.number}: {shown} ({options}){best}", flush=True)


def _nested(options: dict[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for name, value in options.items():
        *path, last = name.split(".")
        place = nested
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return nested


class Report(pl.Callback):
    """Reports the metric to Optuna after every validation, and stops a trial that Optuna prunes.

    Args:
        trial: the trial.
        sweep: the specification.

    Attributes:
        best: the metric's best value so far, that of the checkpoint; None before any validation.
        pruned: whether the trial was stopped.
    """

    def __init__(self, trial: optuna.Trial, sweep: Sweep) -> None:
        self.trial = trial
        self.sweep = sweep
        self.best: float | None = None
        self.pruned = False

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report the best value so far, which a median can be taken of."""
        if trainer.sanity_checking or self.sweep.metric not in trainer.callback_metrics:
            return
        value = trainer.callback_metrics[self.sweep.metric].item()
        better = max if self.sweep.maximize else min
        self.best = value if self.best is None else better(self.best, value)
        self.trial.report(self.best, trainer.current_epoch)
        if self.trial.should_prune():
            self.pruned = trainer.should_stop = True
