from pathlib import Path

import pytest

from mmrec.cli import run_identity as identity
from mmrec.cli.run_identity import code_version, identify
from mmrec.errors import UserError
from mmrec.reproduce.spec import Options


def of(run: str, options: Options, *args: str) -> identity.Identity:
    given = [word for key, value in options for word in (f"--{key}", value)]
    return identify(["--config", f"lightning_configs/run/toy_{run}.yaml", *given, *args])


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
def test_what_changes_no_number_changes_no_identity(args: list[str], on_toy: Options) -> None:
    assert of("sasrec", on_toy, *args) == of("sasrec", on_toy)


def test_config_and_data_tell_runs_apart(on_toy: Options, tmp_path: Path) -> None:
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
def test_what_no_table_shows_is_refused(option: tuple[str, str], on_toy: Options) -> None:
    with pytest.raises(UserError, match=r"tables show full ranking without the history: leave out data\.candidates"):
        of("sasrec", (*on_toy, option))


def test_the_data_are_known_by_the_content_of_their_files(on_toy: Options, tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    folder.mkdir()
    mine = (*on_toy[1:], ("data.source", "mmrec.data.sources.MovieLens"), ("data.source.init_args.path", str(folder)))
    with pytest.raises(UserError, match=str(folder)):
        of("popularity", mine)
    assert not (tmp_path / "data").exists()
    found = []
    for rating in (4, 5):
        (folder / "ratings.dat").write_text(f"1::2::{rating}::978300760\n")
        (folder / "movies.dat").write_text("2::Jumanji (1995)::Adventure\n")
        identity._data_version.cache_clear()  # files do not change below a plan
        found.append(of("popularity", mine).data)
    assert found[0] != found[1]


def changed(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """Give a module other code."""
    read = identity._read_module

    def other(name: str) -> tuple[str, tuple[str, ...]]:
        code, imported = read(name)
        return (code + "changed" if name == module else code), imported

    monkeypatch.setattr(identity, "_read_module", other)
    code_version.cache_clear()


@pytest.mark.parametrize(
    ("module", "matters"),
    [
        ("mmrec.models.sasrec", True),
        ("mmrec.nn.sequence_encoder", True),
        ("mmrec.nn.kernels.candidate_blocks", True),  # imported by what SASRec imports
        ("mmrec.training.callbacks.save_results", True),  # named in the config alone
        ("mmrec.data.sources.toy.shop", True),
        ("mmrec.models.vbpr", False),
        ("mmrec.explain.verify", False),
        ("mmrec.results.compare", False),
        ("mmrec.reproduce.plan", False),
        ("mmrec.training.tracking", False),
    ],
)
def test_code_matters_where_the_run_executes_it(
    module: str, matters: bool, on_toy: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = of("sasrec", on_toy)
    changed(monkeypatch, module)
    after = of("sasrec", on_toy)
    code_version.cache_clear()
    assert (after.code != before.code) == matters


def test_comments_and_docstrings_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    versions = []
    for text in ("def f():\n    return 1\n", '"""Doc."""\ndef f():  # one\n    """More."""\n    return 1\n', "f = 2\n"):
        (tmp_path / "of_a_user.py").write_text(text)
        identity._read_module.cache_clear()
        code_version.cache_clear()
        versions.append(code_version(("of_a_user",)))
    assert versions[0] == versions[1] != versions[2]
