"""From the words of a command line to options that the parser reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmrec.cli.compose import compose


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("--model sasrec", "sasrec"),
        ("--model popularity --model sasrec", "sasrec"),
        ("--model sasrec --model Popularity", None),
        ("--model sasrec --config other.yaml", None),
        ("--model sasrec --config options.yaml", "sasrec"),
        ("--model sasrec --config same.yaml", "sasrec"),
        ("--config other.yaml --model sasrec", "sasrec"),
        ("--model SASRec", None),
    ],
)
def test_a_run_is_named_after_the_section_that_decides_its_class(
    words: str, name: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("other.yaml").write_text("model: {class_path: Popularity}\n")
    Path("options.yaml").write_text("model: {init_args: {lr: 0.002}}\n")
    Path("same.yaml").write_text("model: {class_path: mmrec.SASRec, init_args: {lr: 0.002}}\n")
    names = [word for word in compose(["fit", *words.split()]) if word.startswith("--name=")]
    assert names == ([] if name is None else [f"--name={name}"])
