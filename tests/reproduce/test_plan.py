import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from mmrec.cli.compose import compose
from mmrec.cli.lightning import config_parser
from mmrec.cli.main import main
from mmrec.cli.run_identity import identify
from mmrec.reproduce.engines import ENGINES
from mmrec.reproduce.plan import Plan, validation
from mmrec.reproduce.run import Run
from mmrec.reproduce.spec import Cell, Options, Profile, Spec, read_specs
from tests.reproduce.tables import row, spec


def finish(run: Run, *scores: float) -> None:
    """Write the files of a finished run with the validation score of each epoch."""
    run.folder.mkdir(parents=True)
    (run.folder / "result.json").write_text(json.dumps({"training": {"seconds": 1.0}}))
    if scores:
        lines = ["epoch,train/loss,valid/ndcg@10", *(f"{n},,{score}\n{n},1.5," for n, score in enumerate(scores))]
        (run.folder / "metrics.csv").write_text("\n".join(lines))
    run.mark(20.0)


def write_tables(options: Options) -> None:
    """Write a table with three rows, and one with the third row alone."""
    rows = [
        {"name": "a", "label": "A", "model": "sasrec"},
        {"name": "b", "label": "B", "model": "sasrec", "options": {"model.init_args.layers": 1}},
        {"name": "c", "label": "C", "model": "gru4rec"},
    ]
    profile = {"datasets": ["toy"], "seeds": [1], "best": {"rows": 1, "seeds": [2]}, "options": dict(options)}
    for name, some in (("mine", rows), ("bad", rows[2:])):
        content = {"title": "T", "kind": "comparison", "metrics": ["mrr"], "rows": some, "profiles": {"quick": profile}}
        Path(f"{name}.yaml").write_text(yaml.safe_dump(content))


def test_two_tables_share_a_run(on_toy: Options) -> None:
    profile = Profile("smoke", ("toy",), (1, 2), on_toy, (0, ()))
    first = spec("2026", [row("full", "mm_racl_kal"), row("plain")], profile)
    second = spec("second", [row("k10", "mm_racl_kal", model__init_args__neighbours="10")], profile)
    plan = Plan([first, second], "smoke", Path("runs"), identify)
    runs = plan.first()
    assert [str(run).split("-")[0] for run in runs] == ["toy/full", "toy/plain"] * 2
    assert [run.about["seed"] for run in runs] == [1, 1, 2, 2]
    assert config_parser().parse_args(compose(runs[0].args)).tracking.tags == ["2026", "second"]
    assert '["2026"]' in runs[1].args
    finish(runs[0])
    # The other table alone finds the run under its existing name.
    again = Plan([second], "smoke", Path("runs"), identify)
    assert [run.state for run in again.first()] == ["done", "new"]
    assert [(cell.row.name, cell.seed, cell.folder) for cell in again.cells(second)] == [("k10", 1, runs[0].folder)]


def test_a_copy_of_a_run_is_not_a_further_seed(on_toy: Options) -> None:
    table = spec("table", [row("one")], Profile("smoke", ("toy",), (1, 2), on_toy, (0, ())))
    first, second = Plan([table], "smoke", Path("runs"), identify).first()
    finish(first)
    (first.folder / "training.json").touch()
    shutil.copytree(first.folder, second.folder)
    assert [first.state, second.state] == ["done", "new"]
    assert second.next_args()[0] == "fit"
    assert not second.folder.exists()


@pytest.mark.parametrize(
    ("files", "state", "words"),
    [
        (["training.json", "checkpoints/best.ckpt", "checkpoints/last.ckpt"], "interrupted", ["test"]),
        (["checkpoints/best.ckpt", "checkpoints/last.ckpt"], "interrupted", ["fit", "--ckpt_path", "last"]),
        (["training.json", "checkpoints/last.ckpt"], "interrupted", ["fit", "--ckpt_path", "last"]),
        (["training.json", "result.json"], "new", ["fit"]),  # no validation ran, so there is nothing to test
    ],
)
def test_a_run_continues_from_a_checkpoint_that_it_has(
    files: list[str], state: str, words: list[str], tmp_path: Path
) -> None:
    run = Run(tmp_path / "row-key" / "seed1", "key", (), {"seed": 1})
    for name in files:
        (run.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (run.folder / name).touch()
    assert run.state == state
    assert run.next_args() == words
    assert run.folder.exists() == (state != "new")


def test_the_best_rows_by_validation_get_more_seeds_when_all_rows_are_done(on_toy: Options) -> None:
    profile = Profile("smoke", ("toy",), (1,), on_toy, (2, (2, 3)))
    rows = [row("pop", "popularity"), row("low"), row("top", "gru4rec"), row("mid", "racl_kal")]
    table = spec("table", rows, profile)
    plan = Plan([table, spec("same", rows, profile)], "smoke", Path("runs"), identify)
    pop, low, top, mid = plan.first()
    finish(pop)
    finish(low, 0.1, 0.15)
    finish(top, 0.2, 0.4, 0.3)
    assert (plan.further(), plan.undecided()) == ([], 4)
    finish(mid, 0.1, 0.2)
    further = plan.further()
    assert [(str(run).split("-")[0], run.about["seed"]) for run in further] == [
        ("toy/top", 2), ("toy/mid", 2), ("toy/top", 3), ("toy/mid", 3)
    ]  # fmt: skip
    assert plan.undecided() == 0
    finish(further[0], 0.3)
    finish(further[3], 0.3)
    cells = [(cell.row.name, cell.seed) for cell in plan.cells(table)]
    assert cells == [("pop", 1), ("low", 1), ("top", 1), ("top", 2), ("mid", 1), ("mid", 3)]
    # The curves of the first part of a resumed run count.
    (mid.folder / "metrics.1.csv").write_text("epoch,valid/ndcg@10\n0,0.9\n")
    assert validation(mid.folder) == 0.9
    (mid.folder / "metrics.2.csv").write_text("epoch,valid/ndcg@100\n0,0.95\n")  # another metric
    assert validation(mid.folder) == 0.9


def test_a_wrong_option_of_a_row_is_named(on_toy: Options, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.yaml").write_text(
        "{title: T, kind: comparison, metrics: [mrr], rows: [{name: a, label: A, model: sasrec, options: "
        "{model.init_args.depth: 3}}], profiles: {smoke: {datasets: [toy]}}}"
    )
    with pytest.raises(SystemExit):
        main(["paper", "mine.yaml"])
    assert "mine, row a: " in capsys.readouterr().err


def test_a_dry_run_lists_the_runs_without_starting_one(on_toy: Options, capsys: pytest.CaptureFixture[str]) -> None:
    write_tables(on_toy)

    def shown() -> list[str]:
        main(["paper", "mine.yaml", "--profile", "quick", "--dry-run", "--workers", "2"])
        return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]

    lines = shown()
    assert "0 of 3 runs are done; time of the others: unknown" in lines
    assert "then up to 1 more runs, for the rows that are best by validation" in lines
    assert not Path("runs").exists()
    plan = Plan(read_specs(["mine.yaml"]), "quick", Path("runs/paper"), identify)
    finish(plan.first()[0], 0.1)
    (plan.first()[1].folder / "checkpoints").mkdir(parents=True)
    (plan.first()[1].folder / "checkpoints/last.ckpt").touch()
    lines = shown()
    assert [line.split()[2] for line in lines if line.startswith("toy/")] == ["done", "interrupted", "new"]
    # Two runs of 20 s, two at once; the time of the third is estimated from runs of another config.
    assert "1 of 3 runs are done; time of the others: 20 s" in lines


def test_the_command_writes_every_table_and_then_names_the_failed_runs(
    on_toy: Options, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tables(on_toy)
    rendered = {}

    def render(spec: Spec, profile: Profile, cells: list[Cell], out: Path) -> list[Path]:
        rendered[spec.name] = (profile.name, [cell.row.name for cell in cells], out)
        return [out / f"{spec.name}.md"]

    class Engine:
        workers = 1

        def __init__(self, workers: int | None) -> None:
            pass

        def __call__(self, runs: list[Run], begins: Callable[[Run], None]) -> Iterator[Run]:
            for run in runs:
                if run.about["config"] == "gru4rec":
                    run.log.parent.mkdir(parents=True)
                    run.log.write_text("first\nmmrec: out of luck\n\n")
                else:
                    finish(run, 0.1)
                yield run

    monkeypatch.setitem(ENGINES, "local", Engine)
    monkeypatch.setitem(sys.modules, "mmrec.reproduce.render", SimpleNamespace(render=render, render_statistics=None))
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(SystemExit) as exit_:
        main(["paper", "mine.yaml", "bad.yaml", "--profile", "quick", "--out", "files"])
    assert exit_.value.code == 2
    assert rendered == {"mine": ("quick", ["a", "b"], Path("files/quick"))}
    shown = capsys.readouterr()
    assert "files/quick/mine.md" in shown.out
    assert "bad: no run is done, no files are written" in shown.out
    assert "seed1: mmrec: out of luck" in shown.out
    assert "1 runs failed, and the tables lack them: see runs/paper/toy/c-" in shown.err
