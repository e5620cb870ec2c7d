"""What README and docs show exists and does what they say."""

import importlib
import re
from pathlib import Path

import pytest
import torch

import mmrec
from mmrec.cli.compose import shipped_names
from mmrec.data import sources
from mmrec.data.datamodule import RecDataModule
from mmrec.data.features import encoders
from mmrec.data.schema import Split
from mmrec.explain import callback, llm
from mmrec.testing import TrainedModelContract
from mmrec.utils.shipped import find_config

ROOT = Path(__file__).parents[2]
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text() for path in [ROOT / "README.md", *ROOT.glob("docs/*.md")]}
FOLDERS = ("mmrec", "tests", "benchmarks", "experiments", "lightning_configs", "docs")

pages = pytest.mark.parametrize("page", sorted(PAGES))


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pages
def test_links_lead_to_files_and_headings(page: str) -> None:
    for target in re.findall(r"(?:\]\(|srcset=\"|src=\")([^)\"\s]+)", PAGES[page]):
        name, _, heading = target.partition("#")
        if "://" not in target:
            file = (ROOT / page).parent / name if name else ROOT / page
            assert file.exists(), target
            assert not heading or heading in anchors(file.read_text()), target


@pages
def test_named_files_exist(page: str) -> None:
    for name in re.findall(rf"(?<![\w./-])(?:{'|'.join(FOLDERS)})/[\w./*-]*\w", PAGES[page]):
        assert list(ROOT.glob(name)), name


@pages
def test_class_paths_and_public_names_can_be_imported(page: str) -> None:
    for path in re.findall(r"(?<![\w/.-])mmrec(?:\.\w+)+", PAGES[page]):
        value: object = mmrec
        parts = path.split(".")
        for i, part in enumerate(parts[1:], 2):
            if not hasattr(value, part):
                importlib.import_module(".".join(parts[:i]))
            value = getattr(value, part)


@pages
def test_short_class_names_are_those_of_the_package(page: str) -> None:
    places = (mmrec, sources, encoders, llm, callback)
    own = set(re.findall(r"^class (\w+)", PAGES[page], re.MULTILINE))
    for name in set(re.findall(r"class_path: (\w+)(?![\w.])", PAGES[page])) - own:
        assert any(hasattr(place, name) for place in places), name


@pages
def test_commands_name_shipped_files(page: str) -> None:
    for section in ("data", "model"):
        for name in re.findall(rf"--{section} ([a-z0-9_]+)(?![\w./])", PAGES[page]):
            assert name in shipped_names(section), name
    for file in re.findall(r"(?:--config|mmrec search) (lightning_configs/\S+\.yaml)", PAGES[page]):
        assert find_config(file) is not None, file


def test_every_shipped_part_is_listed() -> None:
    for section in ("data", "model"):
        for name in shipped_names(section):
            assert f"`{name}`" in PAGES["docs/configs.md"], name
    for page in PAGES:
        assert page == "README.md" or page == "docs/index.md" or f"({Path(page).name})" in PAGES["docs/index.md"], page


class TestTheModelOfThePage(TrainedModelContract):
    """The model of docs/adding-a-model.md, as its page tests it."""

    namespace: dict[str, object] = {}
    exec(compile(PAGES["docs/adding-a-model.md"].split("```python\n")[1].split("```")[0], "page", "exec"), namespace)
    model = namespace["BPRMF"]

    def test_training_lowers_the_loss(self, data: RecDataModule) -> None:
        model = self.build(data, lr=0.01)
        optimizer, losses = model.configure_optimizers(), []
        for _ in range(3):
            for batch in data.train_loader(model.trains_on):
                losses.append(model.losses(batch)["loss"])
                optimizer.zero_grad()
                losses[-1].backward()
                optimizer.step()
        assert losses[-1] < 0.9 * losses[0]
        batch = next(iter(data.eval_dataloader(Split.VALID)))
        assert torch.isfinite(model.score(batch)).all()


def test_commands_of_cards_name_no_folder_of_one_machine() -> None:
    cards = list((ROOT / "experiments" / "cards").glob("*.md"))
    assert cards
    for card in cards:
        assert not re.search(r"(?m)^lightning .*\s/", card.read_text()), card.name
