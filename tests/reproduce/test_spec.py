import copy
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from jsonargparse import Namespace

import mmrec
from mmrec.cli.compose import compose
from mmrec.cli.lightning import config_parser
from mmrec.cli.run_identity import identify
from mmrec.errors import UserError
from mmrec.metrics.beyond_accuracy import BeyondAccuracy
from mmrec.reproduce.spec import Options, Row, read_spec, read_specs, run_args
from mmrec.results.measures import BEYOND
from mmrec.utils.shipped import experiments_folder

TABLE = {
    "title": "Two models",
    "kind": "sweep",
    "metrics": ["ndcg@10"],
    "baseline": "a",
    "rows": [
        {"name": "a", "label": "A", "model": "sasrec", "value": 1},
        {"name": "b", "label": "B", "model": "mm_racl_kal", "ablation": "base", "options": {"x.y": True}, "value": 0.5},
    ],
    "profiles": {"smoke": {"datasets": ["toy"], "options": {"trainer.max_epochs": 5}}, "own": {"datasets": ["toy"]}},
}
PROFILES = {"smoke": {"seeds": [1], "options": {"trainer.max_epochs": 3, "z": None}}, "own": {"seeds": [1, 2]}}


def written(folder: Path, table: dict[str, Any]) -> tuple[Path, Path]:
    files = folder / "mine.yaml", folder / "profiles.yaml"
    for file, content in zip(files, (table, PROFILES), strict=True):
        file.write_text(yaml.safe_dump(content, sort_keys=False))
    return files


def parse(row: Row, dataset: str, options: Options) -> Namespace:
    return config_parser().parse_args(compose(run_args(dataset, row, options)))


def test_a_table_extends_the_shared_profile(tmp_path: Path) -> None:
    spec = read_spec(*written(tmp_path, TABLE))
    assert (spec.name, spec.kind, spec.paper_table, spec.baseline) == ("mine", "sweep", None, "a")
    assert spec.rows[1] == Row("b", "B", "mm_racl_kal", "base", (("x.y", "true"),), 0.5)
    assert spec.profiles["smoke"].options == (("trainer.max_epochs", "5"), ("z", "null"))
    assert (spec.profiles["own"].seeds, spec.profiles["own"].best) == ((1, 2), (0, ()))
    with pytest.raises(UserError, match="--profile paper: mine has no such profile, but smoke, own"):
        spec.profile("paper")


WRONG = [
    (("kind",), "pie", r"mine\.yaml: kind must be one of statistics, .* but is 'pie'"),
    (("title",), None, r"mine\.yaml: title must be a text"),
    (("metrics",), [], "metrics must be among"),
    (("metrics",), ["ndcg@5"], r"metrics must be among .*hr@10.*image_diversity@10.*memory_mb.* but is \['ndcg@5'\]"),
    (("colour",), "red", "colour is not a key here; the keys are baseline,"),
    (("baseline",), "c", r"baseline must be the name of a row \(a, b\)"),
    (("rows", 1, "name"), "a", "rows must be of different names"),
    (("rows", 1, "name"), "a/b", r"rows\.a/b\.name must be a valid folder name, but is 'a/b'"),
    (("rows", 1, "value"), "high", r"rows\[1\]\.value must be a finite number"),
    (("rows", 1, "value"), None, r"rows\.b\.value is missing: every row of a sweep has a number"),
    (("rows", 0, "run"), "sasrec", r"rows\[0\]\.run is not a key here; .*; run is now called model"),
    (("rows", 1, "model"), "sasrek", r"rows\.b\.model: sasrek is not a shipped model config, nor a file"),
    (("rows", 1, "ablation"), "no_luck", r"rows\.b\.ablation: no_luck is not a shipped ablation config"),
    (("profiles", "smoke", "datasets"), ["toys"], r"profiles\.smoke\.datasets: toys is not a shipped data config"),
    (("rows", 1, "options"), ["x"], r"rows\[1\]\.options must be a mapping"),
    (("profiles", "smoke", "seeds"), ["one"], r"profiles\.smoke\.seeds\[0\] must be a whole number"),
    (("profiles", "smoke", "best"), {"rows": 2}, r"profiles\.smoke\.best\.seeds must be a list"),
    (("profiles", "other"), {"datasets": ["toy"]}, r"profiles\.other\.seeds is missing"),
    (("rows",), None, "rows must be left out for statistics, and named for other kinds"),
]


@pytest.mark.parametrize(("place", "value", "message"), WRONG)
def test_a_mistake_names_file_and_key(place: tuple[Any, ...], value: Any, message: str, tmp_path: Path) -> None:
    table = copy.deepcopy(TABLE)
    table.pop("baseline") if place == ("rows",) else None
    section: Any = table
    for key in place[:-1]:
        section = section[key]
    if value is None:
        del section[place[-1]]
    else:
        section[place[-1]] = value
    with pytest.raises(UserError, match=message):
        read_spec(*written(tmp_path, table))


def test_tables_know_the_measures_that_results_hold() -> None:
    measured = BeyondAccuracy(torch.ones(4, dtype=torch.int64), {})
    measured.update(torch.tensor([[1, 2]]), torch.ones(1, 2))
    assert tuple(measured.compute()) == BEYOND


def test_tables_are_found_by_name_or_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.yaml").write_text("a: [")
    assert [spec.name for spec in read_specs(["figure5", "table1", "figure5"])] == ["figure5", "table1"]
    with pytest.raises(UserError, match=r"table9: no such file here, and no table of that name, but figure2, .*all"):
        read_specs(["table9"])
    with pytest.raises(UserError, match=r"broken\.yaml:1: not valid YAML"):
        read_specs(["broken.yaml"])
    Path("table1.yaml").write_text((experiments_folder() / "tables/table1.yaml").read_text())
    with pytest.raises(UserError, match="two tables are named table1"):
        read_specs(["table1", "table1.yaml"])


def test_every_table_and_figure_of_the_paper_ships_for_every_profile() -> None:
    specs = read_specs(["all"])
    numbers = [*(f"table{n}" for n in range(1, 7)), *(f"figure{n}" for n in range(2, 6))]
    assert sorted(spec.name for spec in specs) == sorted([*numbers, "ladder"])
    for spec in specs:
        assert list(spec.profiles) == ["smoke", "ml1m", "hm", "paper"], spec.name
        assert spec.paper_table == (int(spec.name[-1]) if spec.name.startswith("table") else None)
    assert all(spec.profiles["paper"].seeds == (1, 2, 3) for spec in specs)
    assert all(spec.profiles["hm"].seeds == (1, 2, 3, 4, 5) for spec in specs)


def test_every_option_of_the_shipped_tables_is_one_of_the_configs() -> None:
    tried = set()
    for spec in read_specs(["all"]):
        for row in spec.rows:
            for profile in spec.profiles.values():
                # The contract tests cover the configs of models; this test covers ablations and options.
                laid = (row.ablation, row.options, () if row.options or row.ablation else profile.options)
                if row.model == "mm_racl_kal" and laid not in tried:
                    tried.add(laid)
                    parse(row, profile.datasets[0], profile.options)
    assert len(tried) > 20


def test_the_ladder_adds_one_part_in_each_row(on_toy: Options) -> None:
    (table5,) = read_specs(["table5"])
    off = []
    for row in table5.rows:
        model = parse(row, "toy", on_toy).model.init_args
        parts = {"C": model.beta, "S": model.static_user != "none", "RA": model.replace_prob, "M": model.image}
        off.append([part for part, on in parts.items() if not on])
    assert off == [["C", "S", "RA", "M"], ["C", "S", "RA"], ["C", "S"], ["C"], []]


def test_the_ladder_with_ids_adds_one_part_in_each_row(on_toy: Options) -> None:
    (ladder,) = read_specs(["ladder"])
    rows = {row.name: row for row in ladder.rows if row.model == "mm_racl_kal_id"}
    sizes = {"n_users": 3, "n_items": 15, "text_dim": 4, "image_dim": 4, "max_length": 5}
    parts = {}
    for name, row in rows.items():
        options = parse(row, "toy", on_toy).model.init_args.as_dict()
        model = mmrec.MMRaclKalNeighbours(**{**options, **sizes})
        contrast = {"contrast"} if model.contrast is not None else set()
        parts[name] = {*model.item_encoder.features.modalities, *model.score_weights} | contrast
    steps = ["ids_text", "m", "m_ra", "m_ra_s", "mm_racl_kal_id", "contrast"]
    added = [parts[after] - parts[before] for before, after in pairwise(steps)]
    assert parts["ids_text"] == {"text"}
    assert added == [{"image"}, {"content"}, {"co_occurrence"}, {"popularity"}, {"contrast"}]
    assert parts["no_content"] == {"co_occurrence", "popularity"}


def test_rows_that_are_the_same_run_share_it(on_toy: Options) -> None:
    def key(table: str, name: str) -> str:
        (spec,) = read_specs([table])
        (row,) = (row for row in spec.rows if row.name == name)
        return identify(run_args("toy", row, on_toy)).key

    assert (
        key("figure3", "k10") == key("figure4", "p10") == key("table6", "mm_racl_kal") == key("figure5", "mm_racl_kal")
    )
    assert key("table5", "base_m_ra_s") == key("figure2", "no_contrast") == key("table6", "no_contrast")
    assert key("figure3", "k5") != key("figure3", "k10")
