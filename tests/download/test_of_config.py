"""From product records that name their images to a dataset that requires them."""

import json
from pathlib import Path

import polars as pl
import pytest
import yaml

from mmrec.cli.main import main
from tests.download.conftest import QUICK, image_bytes
from tests.download.site import Site, serve

LIMITS = [word for name, value in QUICK.items() for word in (f"--limits.{name}", str(value))]
PREPARE = {"user_core": 1, "item_core": 3, "require_image": True}


@pytest.fixture
def shop(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five products that five customers buy, one that only one does; B1's image is gone, B0 has one already."""
    monkeypatch.chdir(tmp_path)
    raw = tmp_path / "raw"
    (raw / "images").mkdir(parents=True)
    (raw / "images" / "B0.jpg").write_bytes(image_bytes())
    sales = [(f"A{user}", f"B{item}") for user in range(5) for item in range(5)] + [("A0", "RARE")]
    reviews = [{"reviewerID": u, "asin": i, "unixReviewTime": 10**9 + k} for k, (u, i) in enumerate(sales)]
    (raw / "SHOP.json").write_text("\n".join(map(json.dumps, reviews)))
    names = sorted({item for _, item in sales})
    products = [{"asin": i, "title": f"Hat {i}", "imageURLHighRes": [site.url(f"/{i}.jpg")]} for i in names]
    (raw / "meta_SHOP.json").write_text("\n".join(map(json.dumps, products)))
    for item in names:
        if item != "B1":
            site.pages[f"/{item}.jpg"] = serve(image_bytes())
    source = {"class_path": "mmrec.data.sources.Amazon", "init_args": {"path": str(raw), "category": "SHOP"}}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump({"data": {"source": source, "prepare": PREPARE}}))
    return raw


def test_remaining_items_get_their_images(shop: Path, site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    main(["download", "images", "--config", "run.yaml", *LIMITS])
    assert sorted(file.name for file in (shop / "images").iterdir()) == ["B0.jpg", "B2.jpg", "B3.jpg", "B4.jpg"]
    assert not Path("data").exists()
    main(["prepare", "--config", "run.yaml"])
    (table,) = Path("data").rglob("items.parquet")
    items = pl.read_parquet(table)[1:]
    assert sorted(items["raw_id"]) == ["B0", "B2", "B3", "B4"]
    assert all(Path(image).is_file() for image in items["image"])
    assert "interactions dropped: require_image" in capsys.readouterr().out


def test_a_source_without_addresses_names_the_way_out(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "meta_SHOP.json").unlink()
    with pytest.raises(SystemExit):
        main(["download", "images", "--config", "run.yaml", "--data.prepare.require_text", "false"])
    assert "no item of amazon-fashion has an address of an image: use --urls FILE" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["download", "images"])
    assert "needs --config RUN.yaml, or --urls FILE and --to FOLDER" in capsys.readouterr().err


def test_a_broken_image_is_fetched_again(shop: Path, site: Site) -> None:
    (shop / "images" / "B2.png").write_bytes(image_bytes("PNG")[:60])
    main(["download", "images", "--config", "run.yaml", *LIMITS])
    assert sorted(file.name for file in (shop / "images").iterdir()) == ["B0.jpg", "B2.jpg", "B3.jpg", "B4.jpg"]


@pytest.mark.parametrize("pattern", ["photos/{sku}.jpg", "photos/img_{sku}.*", "photo"])
def test_images_that_would_not_be_found_are_not_fetched(
    pattern: str, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("o.csv").write_text("user,sku,time\n" + "".join(f"u{k},1,{10**9 + k}\n" for k in range(5)))
    Path("i.csv").write_text(f"sku,name,photo,url\n1,Hat,p.jpg,{site.url('/x')}\n")
    site.pages["/x"] = serve(image_bytes())
    items = {"files": "i.csv", "title": "name", "text": "name", "image": pattern, "image_url": "url"}
    options = {"interactions": "o.csv", "user": "user", "item": "sku", "time": "time", "items": items}
    source = {"class_path": "mmrec.data.sources.Tabular", "init_args": options}
    Path("run.yaml").write_text(yaml.safe_dump({"data": {"source": source, "prepare": PREPARE}}))
    with pytest.raises(SystemExit):
        main(["download", "images", "--config", "run.yaml", *LIMITS])
    assert "would not be found by items.image" in capsys.readouterr().err
    main(
        ["download", "images", "--config", "run.yaml", "--data.source.init_args.items.image", "photos/{sku}.*", *LIMITS]
    )
    assert Path("photos/1.jpg").is_file()
