import shutil
import subprocess
from pathlib import Path

import pytest

import mmrec
from mmrec.cli import run_identity as identity
from mmrec.cli.run_identity import identify
from mmrec.errors import UserError
from mmrec.reproduce.identity import Identity
from mmrec.reproduce.spec import Options
from mmrec.utils import environment


def of(model: str, options: Options, *args: str) -> Identity:
    given = [word for key, value in options for word in (f"--{key}", value)]
    return identify(["--data", "toy", "--model", model, *given, *args])


@pytest.mark.parametrize(
    "args",
    [
        ["--model.init_args.layers", "2"],  # the default, written out
        ["--seed_everything", "7"],
        ["--name", "other", "--runs", "elsewhere", "--tracking.tags", "[table9]"],
        ["--trainer.enable_progress_bar", "false", "--explain", "false"],
        ["--data.encoder.init_args.text_dim", "64"],  # SASRec reads no features
    ],
)
def test_options_without_effect_on_the_numbers_do_not_change_the_identity(args: list[str], on_toy: Options) -> None:
    assert of("sasrec", on_toy, *args) == of("sasrec", on_toy)


def test_the_spelling_of_a_class_does_not_change_the_identity(on_toy: Options) -> None:
    for name, content in (("short", "GRU4Rec"), ("full", "mmrec.models.gru4rec.GRU4Rec")):
        Path(f"{name}.yaml").write_text(f"class_path: {content}\n")
    assert of("short.yaml", on_toy) == of("full.yaml", on_toy)


def test_config_and_data_change_the_identity(on_toy: Options, tmp_path: Path) -> None:
    base = of("mm_racl_kal", on_toy)
    assert base == of("mm_racl_kal", on_toy)
    assert of("mm_racl_kal", on_toy, "--model.init_args.layers", "1").config != base.config
    assert of("mm_racl_kal", on_toy, "--data.max_length", "5").config != base.config
    assert of("mm_racl_kal", on_toy, "--trainer.max_epochs", "4").config != base.config
    assert of("mm_racl_kal", on_toy, "--compile", "true").config != base.config
    for args in (["--data.prepare.user_core", "6"], ["--data.encoder.init_args.text_dim", "64"]):
        other = of("mm_racl_kal", on_toy, *args)
        assert other.data != base.data
        assert (other.config, other.code) == (base.config, base.code)
        assert other.key != base.key
    assert len(base.key) == 12


@pytest.mark.parametrize("option", [("data.candidates", "uniform100"), ("data.mask_history", "false")])
def test_another_test_protocol_is_refused(option: tuple[str, str], on_toy: Options) -> None:
    with pytest.raises(UserError, match=r"tables show full ranking without the history: leave out data\.candidates"):
        of("sasrec", (*on_toy, option))


def test_data_are_identified_by_the_content_of_their_files(on_toy: Options, tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    folder.mkdir()
    mine = (*on_toy[1:], ("data.source", "MovieLens"), ("data.source.init_args.path", str(folder)))
    with pytest.raises(UserError, match=str(folder)):
        of("popularity", mine)
    assert not (tmp_path / "data").exists()
    found = []
    for rating in (4, 5):
        (folder / "ratings.dat").write_text(f"1::2::{rating}::978300760\n")
        (folder / "movies.dat").write_text("2::Jumanji (1995)::Adventure\n")
        identity._data_version.cache_clear()  # a plan reads the files once
        found.append(of("popularity", mine).data)
    assert found[0] != found[1]


def git(folder: Path, *args: str) -> None:
    subprocess.run(["git", "-C", str(folder), "-c", "user.name=n", "-c", "user.email=e", *args], check=True)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of a package with one module, in place of this one."""
    package = tmp_path / "checkout" / "mmrec"
    package.mkdir(parents=True)
    (package / "model.py").write_text("layers = 2\n")
    git(package.parent, "init", "-q")
    git(package.parent, "add", ".")
    git(package.parent, "commit", "-qm", "first")
    monkeypatch.setattr(environment, "PACKAGE", package)
    return package.parent


def version() -> str:
    environment.code_version.cache_clear()
    try:
        return environment.code_version()
    finally:
        environment.code_version.cache_clear()


def test_a_commit_is_the_version_until_the_package_changes(checkout: Path) -> None:
    first = version()
    assert len(first) == 40
    (checkout / "notes.md").write_text("a note")
    git(checkout, "add", ".")
    git(checkout, "commit", "-qm", "notes")
    assert version() == first
    (checkout / "mmrec" / "model.py").write_text("layers = 3\n")
    git(checkout, "commit", "-qam", "deeper")
    assert len(version()) == 40
    assert version() != first


def test_uncommitted_changes_are_part_of_the_version(checkout: Path) -> None:
    commit, found = version(), set()
    for text in ("layers = 3\n", "layers = 4\n"):
        (checkout / "mmrec" / "model.py").write_text(text)
        found.add(version())
    (checkout / "mmrec" / "new.py").write_text("")
    (checkout / "mmrec" / "more.py").write_text("width = 8\n")
    found.add(version())
    assert len(found) == 3
    assert all(one.startswith(f"{commit}+") for one in found)


def test_outside_a_checkout_the_version_is_that_of_the_package(checkout: Path, tmp_path: Path) -> None:
    shutil.rmtree(checkout / ".git")
    assert version() == mmrec.__version__
    git(tmp_path, "init", "-q")  # an unrelated checkout around an installation
    assert version() == mmrec.__version__
