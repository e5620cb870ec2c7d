"""The trained model that ships with the package."""

from typing import Any

import pytest

import mmrec
from mmrec.cli.main import main
from mmrec.utils.shipped import toy_bundle

LARGEST = 1_700_000
"""Bytes of the bundle; compressed in the wheel it is below 1 MB."""


def test_the_shipped_bundle_recommends_and_explains() -> None:
    assert sum(file.stat().st_size for file in toy_bundle().rglob("*") if file.is_file()) < LARGEST
    shop = mmrec.load(toy_bundle())
    history = shop.items["item"].to_list()[:3]
    best = shop.recommend(history, k=5)
    assert len({one.item for one in best} - set(history)) == 5
    assert shop.explain(history, best[0].item).text


def test_serve_takes_a_folder_or_the_demo(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("uvicorn")
    import mmrec.cli.serve as command

    served: list[Any] = []
    monkeypatch.setattr(command, "serve_model", served.append)
    main(["serve", "--demo", "--port", "0"])
    main(["serve", "shop"])
    assert [options.model for options in served] == [str(toy_bundle()), "shop"]
    for args in ([], ["shop", "--demo"]):
        with pytest.raises(SystemExit):
            main(["serve", *args])
        assert "name a bundle or the folder of a run, or pass --demo" in capsys.readouterr().err
