from pathlib import Path

import polars as pl
import pytest
import yaml

from mmrec.cli.download import download
from mmrec.download import load_addresses
from mmrec.errors import InvalidArgument, UserError
from mmrec.utils.shipped import configs_folder
from tests.download.conftest import QUICK, image_bytes, zipped
from tests.download.site import serve

LIMITS = [word for name, value in QUICK.items() for word in (f"--limits.{name}", str(value))]


def test_the_shipped_addresses(capsys):
    found = load_addresses()
    assert found.path == configs_folder() / "addresses.yaml"
    (file,) = found.find("MovieLens-25M").of_category(None)
    assert file.urls[0] == "https://files.grouplens.org/datasets/movielens/ml-25m.zip"
    old, new = (
        [file.name for file in found.find(f"amazon-{year}").of_category("amazon-fashion")] for year in (2018, 2023)
    )
    assert old == ["meta_AMAZON_FASHION.json.gz", "AMAZON_FASHION.json.gz"]
    assert new == ["meta_Amazon_Fashion.jsonl.gz", "Amazon_Fashion.jsonl.gz"]
    assert all(dataset.licence and dataset.citation for dataset in found.datasets.values())
    download(["--list"])
    shown = capsys.readouterr().out
    assert all(name in shown for name in found.datasets)
    assert "Amazon_Fashion" in shown


def test_a_dataset_arrives_where_sources_look_for_it(site, addresses, tmp_path, monkeypatch, capsys):
    site.pages["/ml.zip"] = serve(zipped(ratings_csv=b"x", movies_csv=b"y"))
    path = str(addresses({"url": site.url("/ml.zip"), "unpack": "zip"}, licence="ask first").path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MMREC_DATA", raising=False)
    download(["shop", "--addresses", path, *LIMITS])
    assert Path("data/raw/shop/ratings.csv").is_file()
    assert "ask first" in capsys.readouterr().out
    monkeypatch.setenv("MMREC_DATA", "elsewhere")
    download(["shop", "--addresses", path, *LIMITS])
    download(["shop", "--addresses", path, "--to", "there", *LIMITS])
    assert Path("elsewhere/shop/ratings.csv").is_file()
    assert Path("there/shop/ratings.csv").is_file()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_images_by_a_list(kind, site, tmp_path, capsys):
    site.pages["/i"] = serve(image_bytes())
    gone, good = site.url("/gone"), site.url("/i")
    table = pl.DataFrame({"asin": ["007", "8"], "links": [[gone, good], [gone]]})
    if kind == "csv":
        table.explode("links").write_csv(tmp_path / "u.csv")
    else:
        table.write_parquet(tmp_path / "u.parquet")
    args = ["images", "--urls", str(tmp_path / f"u.{kind}"), "--to", str(tmp_path / "images"), "--id_column", "asin"]
    args += ["--url_column", "links", *LIMITS]
    download(args)
    assert [path.name for path in (tmp_path / "images").iterdir()] == ["007.jpg"]
    assert "gone" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"50\.0% of the images failed, more than --max_failed_share \(40\.0%\)"):
        download([*args, "--max_failed_share", "0.4"])


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["movielens-25"], r"no dataset movielens-25 in .*addresses\.yaml \(did you mean movielens-25m\?\)"),
        ([], "needs the name of a data set"),
        (["amazon-2023", "--category", "Amazon_Fashon"], r"did you mean Amazon_Fashion\?"),
        (["shop", "--addresses", "none.yaml"], "none.yaml: no such file"),
        (["images", "--urls", "none.csv", "--to", "i"], "none.csv: no such file"),
        (["images", "--urls", "u.txt", "--to", "i"], "must name files that end in .csv, .tsv, .inter, .item, .parquet"),
        (["images", "--urls", "u.csv", "--to", "i"], "u.csv has no column 'id', only a, b: name it with --id_column"),
        (["images", "--urls", "bad.parquet", "--to", "i"], "bad.parquet: not readable"),
        (["images", "--urls", "u.csv", "--to", "i", "--max_failed_share", "2"], "between 0 and 1"),
    ],
)
def test_mistakes_are_explained(args, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("u.csv", "u.txt", "bad.parquet"):
        Path(name).write_text("a,b\n1,2\n")
    with pytest.raises((InvalidArgument, UserError), match=words):
        download(args)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"files": []}, r"shop\.files must be a list"),
        ({"file": []}, r"shop\.file is an unknown key|shop\.files is missing"),
        ({"files": [{"url": "ftp://a/b.zip"}]}, r"shop\.files\.0: ftp://a/b\.zip is not an http or https address"),
        ({"files": [{"url": "https://a/"}]}, r"shop\.files\.0\.url must end in the name of a file"),
        ({"files": [{"url": "https://a/.."}]}, r"shop\.files\.0\.url must end in the name of a file"),
        ({"files": [{"url": "https://a/b", "unpack": "tar"}]}, r"shop\.files\.0\.unpack must be zip"),
        ({"files": [{"url": "https://a/b", "sha256": "12"}]}, r"shop\.files\.0\.sha256 must be 64 hexadecimal digits"),
        ({"files": [{"url": "https://a/b", "sha": "12"}]}, r"shop\.files\.0\.sha is an unknown key"),
        ({"files": [{"url": "https://a/b"}], "categories": ["x"]}, r"with \{category\} in it"),
        ({"files": [{"url": "https://a/{category}"}], "categories": ["../x"]}, r"shop\.categories must be"),
    ],
)
def test_mistakes_in_the_addresses_file_are_named(change, words, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(yaml.safe_dump({"shop": change}))
    with pytest.raises(UserError, match=words) as caught:
        load_addresses(path)
    assert str(path) in str(caught.value)


def test_an_addresses_file_that_is_no_yaml_names_the_line(tmp_path):
    (tmp_path / "a.yaml").write_text("shop:\n  files: [\n")
    with pytest.raises(UserError, match=r"a\.yaml:3: not valid YAML"):
        load_addresses(tmp_path / "a.yaml")
