import dataclasses
import io

from rich.console import Console

from mmrec.data.datamodule import RecDataModule
from mmrec.results.dataset import show_dataset


def test_names_and_paths_are_shown_as_they_are(toy: RecDataModule) -> None:
    rejected = {"broken JSON": {"count": 1, "first": "ml [v2]/ratings.csv:7", "value": None}}
    manifest = dataclasses.replace(toy.catalog.manifest, rejected=rejected)
    console = Console(file=io.StringIO(), width=160)
    show_dataset(manifest, "shop in d[/x]", None, console)
    shown = console.file.getvalue()
    assert "d[/x]" in shown
    assert "ml [v2]/ratings.csv:7" in shown
