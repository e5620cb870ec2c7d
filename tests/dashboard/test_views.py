"""Workspaces and reports, compared with the values that runs record."""

import base64
import importlib
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mmrec.cli.main import main
from mmrec.cli.run_identity import configured
from mmrec.dashboard import save as saving
from mmrec.dashboard.conditions import conditions
from mmrec.dashboard.library import wr, ws
from mmrec.dashboard.offline import run_id_of
from mmrec.dashboard.views import Pinned, Views, build_views
from mmrec.data.datamodule import RecDataModule
from mmrec.errors import UserError
from mmrec.reproduce.spec import read_specs
from mmrec.utils.shipped import configs_folder
from tests.dashboard.recorded import Recorded, recorded


@pytest.fixture(scope="module")
def runs(toy: RecDataModule, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Runs of the full model and of a baseline, recorded offline as a user without an account records them."""
    folder = tmp_path_factory.mktemp("recorded")
    data = ["--data.root", str(toy.root), "--data.source.init_args.path", toy.source.path, "--runs", str(folder)]
    short = [
        "--trainer.limit_train_batches",
        "2",
        "--trainer.enable_progress_bar",
        "false",
        "--tracking.tags+",
        "table3",
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("WANDB_MODE", "offline")
        patch.delenv("PL_GLOBAL_SEED", raising=False)
        for model, epochs in (("mm_racl_kal", "2"), ("sasrec", "1")):
            main(["fit", "--data", "toy", "--model", model, "--trainer.max_epochs", epochs, *data, *short])
        yield folder


@pytest.fixture(scope="module")
def full(runs: Path) -> Recorded:
    return recorded(runs / "toy/mm_racl_kal/seed1")


@pytest.fixture(scope="module")
def views(runs: Path) -> Views:
    return build_views("me", "mmrec", read_specs(["all"]), "smoke", Pinned("sasrec", [runs]), configured)


def specification(views: Views) -> dict[str, list[dict[str, Any]]]:
    """Return the workspaces and reports as they are sent to W&B."""
    return {
        kind: [view._to_model().model_dump(mode="json", by_alias=True) for view in getattr(views, kind)]
        for kind in ("workspaces", "reports")
    }


def walk(part: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping within JSON."""
    if isinstance(part, dict):
        yield part
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from walk(inner)


def panels(view: dict[str, Any]) -> list[dict[str, Any]]:
    return [part for part in walk(view) if "viewType" in part]


def runsets(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [part for part in walk(report) if "filters" in part and "search" in part]


def test_a_run_is_found_without_renaming(full: Recorded, runs: Path) -> None:
    assert (full.group, full.job_type, sorted(full.tags)) == ("toy/mm_racl_kal", "train", ["seed1", "table3"])
    result = json.loads((runs / "toy/mm_racl_kal/seed1/result.json").read_text())
    for key in ("dataset", "data_hash", "class"):
        assert full.config[key] == result[key]
    assert full.config["name"] == result["model"]
    assert full.summary["cost/seconds"] == result["training"]["seconds"]
    assert full.summary["slices/tail/ndcg@10"] == result["slices"]["tail"]["ndcg@10"]
    assert "__path__" not in json.dumps(full.config)  # no paths of the files that the config was read from
    for file in (configs_folder() / "ablation").glob("*.yaml"):
        assert "tracking: {job_type: ablation}" in file.read_text()


def test_every_name_in_a_view_is_recorded_by_runs(views: Views, full: Recorded) -> None:
    named: dict[str, set[str]] = {"curve": set(), "summary": set(), "config": set()}
    for view in (view for kind in specification(views).values() for view in kind):
        for panel in panels(view):
            config = panel["config"]
            kind = "curve" if panel["viewType"] == "Run History Line Plot" else "summary"
            named[kind] |= {name.removeprefix("summary_metrics.") for name in config.get("metrics") or []}
            named["curve"] |= {config["xAxis"]} if kind == "curve" else set()
            named["summary"] |= {config["targetKey"]} if "targetKey" in config else set()
            axes = [config.get(axis) for axis in ("xAxis", "yAxis", "zAxis")] if kind == "summary" else []
            named["summary"] |= {axis.partition(":")[2] for axis in axes if axis and axis.startswith("summary:")}
            named["config"] |= {axis[7:].removesuffix(".value") for axis in axes if axis and axis.startswith("config:")}
            named["config"] |= {config["groupBy"].removesuffix(".value")} if config.get("groupBy") else set()
        for part in walk(view):
            for column in part.get("columnPinned") or {}:
                section, _, name = column.partition(":")
                named.get(section, set()).add(name.removesuffix(".value"))
            for sort in part.get("sort", {}).get("keys", []) if isinstance(part.get("sort"), dict) else []:
                assert sort["key"]["name"] in full.summary
    assert len(named["curve"]) > 5  # so the search above found something
    assert named["curve"] <= full.history
    assert named["summary"] <= full.summary.keys()
    assert named["config"] <= full.config.keys()
    assert "test/ndcg@10" not in {p["config"].get("targetKey") for p in walk(specification(views)) if "viewType" in p}


def rows_of(config: dict[str, Any], views: Views) -> list[tuple[str, str]]:
    """Return the tables and labels of the run sets that a run of this config is in."""
    found = []
    for report in specification(views)["reports"]:
        for runset in runsets(report):
            known_by = {each["key"]["name"]: each["value"] for each in runset["filters"]["filters"]}
            if all(config.get(key) == value for key, value in known_by.items()):
                found.append((report["displayName"].partition(":")[0], runset["name"].removesuffix(" (baseline)")))
    return sorted(found)


def test_a_run_set_holds_the_runs_of_its_row_alone(views: Views, full: Recorded, runs: Path) -> None:
    """In each table a run belongs to its own row alone: the full model, SASRec, or the model without a part."""
    for model, stem in ((full, "mm_racl_kal"), (recorded(runs / "toy/sasrec/seed1"), "sasrec")):
        expected = []
        for spec in read_specs(["all"]):
            rows = [row for row in spec.rows if row.model == stem and row.ablation is None]
            plain = [row for row in rows if all(model.config[k.rpartition(".")[2]] == float(v) for k, v in row.options)]
            expected += [(spec.name, row.label) for row in plain]
        assert rows_of(model.config, views) == sorted(expected)
        assert len(expected) > 1
    labels = {
        (spec.name, row.label) for spec in read_specs(["all"]) for row in spec.rows if row.ablation == "no_contrast"
    }
    assert rows_of({**full.config, "beta": 0}, views) == sorted(labels)
    assert rows_of({**full.config, "dataset": "other"}, views) == []


def test_options_that_tell_rows_apart_are_recorded_ones() -> None:
    """A model records the arguments of its constructor."""
    rows = [row for spec in read_specs(["all"]) for row in spec.rows]
    classes = {
        name: getattr(module, name)
        for module in (importlib.import_module(f"mmrec.models.{file.stem}") for file in model_files())
        for name in vars(module)
        if inspect.isclass(getattr(module, name))
    }
    for known_by in conditions(rows, "toy", rows, configured, (("data.max_length", "50"),)):
        taken = {
            name
            for cls in classes[known_by["class"]].__mro__
            if "__init__" in vars(cls)
            for name in inspect.signature(cls).parameters
        }
        assert known_by.keys() - {"class"} <= taken
        assert known_by.get("max_length") == (50 if "max_length" in taken else None)


def model_files() -> list[Path]:
    import mmrec.models

    return [file for file in Path(mmrec.models.__path__[0]).glob("*.py") if file.stem != "__init__"]


def test_the_baseline_is_pinned_and_has_the_first_run_set(views: Views, runs: Path) -> None:
    made = specification(views)
    (workspace,) = made["workspaces"]
    (runset,) = workspace["spec"]["section"]["runSets"]
    own = run_id_of(runs / "toy/sasrec/seed1")
    assert base64.b64decode(runset["baselineRunId"]).decode() == f"Run:v1:{own}:mmrec:me"
    assert runset["pinnedRunIds"] == [runset["baselineRunId"]]
    by_name = {report["displayName"].partition(":")[0]: report for report in made["reports"]}
    assert runsets(by_name["table5"])[0]["name"] == "Base (baseline)"


def test_reports_have_the_panels_of_their_kind_of_table(views: Views) -> None:
    by_name = {report["displayName"].partition(":")[0]: panels(report) for report in specification(views)["reports"]}
    assert by_name.keys() == {f"table{n}" for n in range(2, 7)} | {f"figure{n}" for n in range(2, 6)} | {"ladder"}
    bars = [panel["config"] for panel in by_name["table3"] if panel["viewType"] == "Bar Chart"]
    assert [(bar["groupAgg"], bar["groupArea"]) for bar in bars] == [("mean", "stddev")] * 5
    for figure, option in (("figure3", "neighbours"), ("figure4", "replace_prob")):
        axes = [panel["config"].get("xAxis") for panel in by_name[figure]]
        assert f"config:{option}.value" in axes
        assert "Parameter Importance" in [panel["viewType"] for panel in by_name[figure]]
    costs = [panel["config"] for panel in by_name["figure5"] if panel["viewType"] == "Scatter Plot"]
    assert [cost["xAxis"] for cost in costs] == ["summary:cost/seconds_per_epoch"]


def test_the_specification_can_be_written_without_an_account(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without_account(monkeypatch)
    main(["dashboard", str(runs), "--profile", "smoke", "--tables", "table5", "--out", str(tmp_path / "made.json")])
    assert len(json.loads((tmp_path / "made.json").read_text())["reports"]) == 1
    with pytest.raises(SystemExit):
        main(["dashboard", str(runs), "--profile", "smoke"])
    assert "wandb login" in capsys.readouterr().err


def without_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("NETRC", "/nowhere/netrc")


def test_saving_again_replaces_what_was_saved(views: Views, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """W&B is replaced by a dictionary of what it would hold."""
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    held: dict[str, Any] = {}
    for kind, title in ((ws.Workspace, "name"), (wr.Report, "title")):
        monkeypatch.setattr(kind, "save", lambda view, t=title: held.update({f"https://w/{getattr(view, t)}": view}))
        monkeypatch.setattr(kind, "url", property(lambda view, t=title: f"https://w/{getattr(view, t)}"))
        monkeypatch.setattr(kind, "from_url", staticmethod(lambda url: held[url]))
    few = Views(views.workspaces, views.reports[:1])
    saving.save(lambda entity: few, "me", tmp_path / "dashboards.json")
    first = dict(held)
    assert len(first) == 2
    again = build_views("me", "mmrec", read_specs(["table2"]), "smoke", Pinned("sasrec", []), configured)
    saving.save(lambda entity: again, "me", tmp_path / "dashboards.json")
    assert held == first
    assert all(held[url] is view for url, view in first.items())  # the same views, with the new content
    assert few.workspaces[0].runset_settings.baseline_run is None


def test_an_unknown_profile_is_refused(runs: Path) -> None:
    with pytest.raises(UserError, match="no such profile"):
        build_views("me", "mmrec", read_specs(["table2"]), "huge", Pinned("sasrec", [runs]), configured)
