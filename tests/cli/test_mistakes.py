"""Mistakes of a user, each with the line that tells it."""

from pathlib import Path

import pytest
import torch

from mmrec.cli.main import main
from mmrec.data.datamodule import RecDataModule
from tests.cli.quiet import QUIET

WRONG = {
    "a configuration that does not ship": (
        ["config", "my_shoe"],
        "mmrec config my_shoe: is not a shipped configuration (did you mean my_shop?)",
    ),
    "no such config": (["fit", "--config", "nowhere.yaml"], "nowhere.yaml: no such file"),
    "no such data": (
        ["fit", "--data", "movielens", "--model", "sasrec", "--data.source.init_args.path", "absent"],
        "absent not found",
    ),
    "not trained yet": (["test", "--data", "toy", "--model", "sasrec"], "fit this configuration first"),
    "no such checkpoint": (
        ["test", "--data", "toy", "--model", "sasrec", "--ckpt_path", "gone.ckpt"],
        "gone.ckpt: no such file",
    ),
    "broken checkpoint": (
        ["test", "--data", "toy", "--model", "sasrec", "--ckpt_path", "junk.ckpt"],
        "junk.ckpt: not a readable checkpoint",
    ),
    "checkpoint of no run": (
        ["test", "--data", "toy", "--model", "sasrec", "--ckpt_path", "weights.pt"],
        "weights.pt: not a checkpoint of a run",
    ),
    "no such file of a section": (
        ["fit", "--data", "toy", "--model", "sasrec", "--data=my_shop.yaml"],
        "--data my_shop.yaml: no such file",
    ),
    "empty config": (["fit", "--config", "empty.yaml"], "empty.yaml: must be a mapping of options"),
    "broken section": (
        ["fit", "--data", "toy", "--model", "sasrec", "--data", "broken.yaml"],
        "broken.yaml:3: not valid YAML in UTF-8 (expected ',' or ']', but got ':')",
    ),
    "nothing to choose by": (
        ["fit", "--data", "toy", "--model", "sasrec", "--trainer.limit_val_batches", "0"],
        "no validation runs before the training ends",
    ),
    "fewer epochs than validations need": (
        [
            "fit",
            "--data",
            "toy",
            "--model",
            "sasrec",
            "--trainer.max_epochs",
            "2",
            "--trainer.check_val_every_n_epoch",
            "3",
        ],
        "no validation runs before the training ends",
    ),
    "fewer steps than validations need": (
        ["fit", "--data", "toy", "--model", "sasrec", "--trainer.max_steps", "2"],
        "no validation runs before the training ends",
    ),
    "a metric that no validation makes": (
        [
            *("fit", "--data", "toy", "--model", "sasrec", "--trainer.max_epochs", "1", "--trainer.callbacks"),
            '[{"class_path": "EarlyStopping", "init_args": {"monitor": "valid/mrrr", "mode": "max"}}]',
        ],
        "`valid/mrrr` which is not available",
    ),
    "seed": (
        ["fit", "--data", "toy", "--model", "sasrec", "--seed_everything", "-3"],
        "--seed_everything must be a whole number from 0 to 4294967295, but is -3",
    ),
    "name": (
        ["fit", "--data", "toy", "--model", "sasrec", "--name", "../sasrec"],
        "--name must be a valid folder name, but is '../sasrec'",
    ),
    "nothing left": (
        ["fit", "--data", "toy", "--model", "sasrec", "--data.prepare.user_core", "60"],
        "no interaction is left",
    ),
    "contradiction": (
        ["fit", "--data", "toy", "--model", "sasrec", "--model.init_args.item_id", "false"],
        "set at least one of them to true",
    ),
    "no runs": (["compare", "runs"], "holds no"),
    "wrong type": (
        ["fit", "--data", "toy", "--model", "sasrec", "--model.init_args.lr", "fast"],
        "Parser key \"lr\": Expected a <class 'float'>. Got value: fast",
    ),
    "no such option of the model": (
        ["fit", "--data", "toy", "--model", "lightgcn", "--model.init_args.weight_decay", "0.1"],
        "LightGCN': Option 'weight_decay' is not accepted",
    ),
    "precision": (
        ["fit", "--data", "toy", "--model", "sasrec", "--trainer.precision", "bf16-true"],
        "--trainer.precision must be one of 32-true",
    ),
    "users of a fit": (
        ["fit", "--data", "toy", "--model", "sasrec", "--users", "empty.yaml"],
        "--users: `fit` does not use it, `predict` alone does; leave it out",
    ),
    "length of the lists of a fit": (
        ["fit", "--data", "toy", "--model", "sasrec", "--top_k=-5"],
        "--top_k: `fit` does",
    ),
    "start of a test": (["test", "--data", "toy", "--model", "sasrec", "--from", "runs"], "--from: `test` does not"),
    "known targets among new items": (
        ["test", "--data", "toy", "--model", "popularity", "--data.prepare.repeats", "all"],
        "set mask_history: false, or repeats: first",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_users_mistake_is_one_line(
    case: str, here: Path, toy: RecDataModule, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MMREC_DATA", raising=False)
    args, message = WRONG[case]
    Path("empty.yaml").write_text("# nothing yet\n")
    Path("broken.yaml").write_text("root: data\nitems: [1\nlimit: 2\n")
    Path("junk.ckpt").write_text("no checkpoint")
    torch.save({"weight": 1}, "weights.pt")
    if "toy" in " ".join(args):
        args = [*args, "--data.root", str(toy.root), "--data.source.init_args.path", toy.source.path, *QUIET]
    with pytest.raises(SystemExit) as exit_:
        main(args)
    assert exit_.value.code == 2
    (last,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("mmrec: "))
    assert message in last
