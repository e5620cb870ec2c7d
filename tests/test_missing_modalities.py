"""A shop in which some items have no image, some no text, some neither, and some no training interaction."""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
import torch
from PIL import Image
from rich.console import Console

from mmrec.cli.main import main
from mmrec.data.datamodule import RecDataModule
from mmrec.data.features.encoders import HandcraftedEncoder
from mmrec.data.prepare.pipeline import PrepareOptions
from mmrec.data.schema import RawData
from mmrec.explain import Knowledge, Recommendation, build_packet, evidence_of
from mmrec.explain.writing.grammar import write
from mmrec.explain.writing.plan import default_plan
from mmrec.models.mm_racl_kal import MMRaclKal
from mmrec.results.compare import Extra, compare_runs
from mmrec.retrieval.index import nearest_neighbours
from tests.data.rows import LOOSE, Rows

USERS, SOLD, UNSEEN = 48, 32, 8
WORDS = ("red", "round", "soft", "old", "loud", "wooden", "tiny", "bright")
FORMS = {"literal": "false", "with_ids": "true"}
LOOSE_ARGS = [f"--data.prepare.{key}={str(value).lower()}" for key, value in LOOSE.items()]


def kind(item: str) -> str:
    """Return what an item has, by the number in its name: both, text, image, neither in turn."""
    return ("both", "text", "image", "neither")[int(item[1:]) % 4]


class Shop(Rows):
    """Every user buys six items with consecutive numbers; a sixth of the last purchases are of new items."""

    name = "shop"

    def __init__(self, folder: str, pictures: bool = True) -> None:
        events = [
            (
                f"u{user}",
                f"i{SOLD + user // 6}" if step == 5 and user % 6 == 0 else f"i{(5 * user + step) % SOLD}",
                step,
            )
            for user in range(USERS)
            for step in range(6)
        ]
        names = [f"i{number}" for number in range(SOLD + UNSEEN)]
        texts = {
            name: f"{WORDS[int(name[1:]) % 8]} {WORDS[int(name[1:]) // 8]}"
            for name in names
            if kind(name) in ("both", "text")
        }
        super().__init__(Path(folder), events, texts, images=pictures, name="shop")
        if pictures:
            (self.folder / "images").mkdir(parents=True, exist_ok=True)
            for name in names:
                if kind(name) in ("both", "image"):
                    colour = (6 * int(name[1:]), 250 - 6 * int(name[1:]), 90)
                    Image.new("RGB", (16, 16), colour).save(self.folder / "images" / f"{name}.png")

    def read(self) -> RawData:
        """Return the shop, in which the title is the text and is missing where the text is missing."""
        raw = super().read()
        return replace(raw, items=raw.items.with_columns(title=pl.col("text")))


def command(name: str, root: Path, *args: str) -> None:
    source = ["--data.source.class_path", f"{__name__}.Shop", "--data.source.init_args.folder", str(root / "raw")]
    quiet = ["--tracking.wandb", "false", "--trainer.enable_progress_bar", "false"]
    config = ["--config", "lightning_configs/run/toy_mm_racl_kal.yaml", "--data.root", str(root / "data")]
    main([name, *config, *source, *LOOSE_ARGS, *quiet, *args])


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which both forms of the model were fitted, tested and explained for their whole lists."""
    folder = tmp_path_factory.mktemp("shop")
    explain = ["--trainer.callbacks+=mmrec.explain.callback.ExplainRecommendations", "--trainer.callbacks.users=6"]
    everything = [*explain, "--trainer.callbacks.top_k=35", "--trainer.callbacks.llm=null"]
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PL_GLOBAL_SEED", raising=False)
        patch.chdir(folder)
        for form, item_id in FORMS.items():
            shared = ["--name", form, "--model.init_args.item_id", item_id, *everything]
            command("fit", folder, *shared, "--trainer.max_epochs", "4")
            command("test", folder, *shared)
    return folder


@pytest.fixture(params=FORMS)
def run(request: pytest.FixtureRequest, root: Path) -> Path:
    """Return the folder of one of the two runs."""
    return root / "runs" / "shop" / request.param / "seed1"


@pytest.fixture
def data(root: Path) -> RecDataModule:
    options = PrepareOptions(**LOOSE, split="leave_one_out")
    return RecDataModule(
        Shop(str(root / "raw")), prepare=options, encoder=HandcraftedEncoder(), root=str(root / "data"), max_length=8
    )


def trained(run: Path, data: RecDataModule) -> MMRaclKal:
    model = MMRaclKal.load_from_checkpoint(run / "checkpoints" / "best.ckpt", map_location="cpu")
    model.attach(data.catalog, data.features)
    return model.eval()


def items_of(wanted: str, data: RecDataModule) -> list[int]:
    ids = data.catalog.item_table["raw_id"].to_list()
    return [item for item in range(1, data.n_items) if kind(ids[item]) == wanted]


def test_every_target_has_a_rank_whatever_modality_it_lacks(run: Path) -> None:
    curves = pl.read_csv(run / "metrics.csv")
    losses = [name for name in curves.columns if name.startswith("train/loss")]
    assert len(losses) == 5
    assert all(curves[name].drop_nulls().is_finite().all() for name in losses)
    ranks = pl.read_parquet(run / "test_ranks.parquet")
    assert ranks.height == USERS
    assert ranks["rank"].is_between(1, SOLD + UNSEEN - 5).all()  # five items are excluded as history
    assert {kind(item) for item in ranks["item"]} == {"both", "text", "image", "neither"}
    assert sum(int(item[1:]) >= SOLD for item in ranks["item"]) == UNSEEN


def test_slices_hold_the_targets_of_their_kind(run: Path) -> None:
    ranks = pl.read_parquet(run / "test_ranks.parquet")
    slices = json.loads((run / "result.json").read_text())["slices"]
    has = {"image_missing": ("text", "neither"), "text_present": ("both", "text"), "neither": ("neither",)}
    for name, kinds in has.items():
        own = ranks.filter(pl.col("item").map_elements(kind, pl.String).is_in(kinds))
        assert slices[name]["instances"] == own.height
        assert slices[name]["hr@10"] == pytest.approx((own["rank"] <= 10).mean(), abs=1e-6)
    assert slices["unseen"]["instances"] == UNSEEN
    assert slices["cold"]["instances"] == slices["head"]["instances"] + slices["tail"]["instances"] == USERS


def test_compare_shows_slices_with_their_numbers_of_instances(root: Path, tmp_path: Path) -> None:
    runs = tmp_path / "shop"
    shutil.copytree(root / "runs" / "shop", runs)
    file = runs / "with_ids" / "seed1" / "result.json"
    result = json.loads(file.read_text())
    instances = result["slices"]["neither"]["instances"]
    result["slices"]["neither"] |= {"instances": 0, "ndcg@10": None}
    file.write_text(json.dumps(result))
    console = Console(width=160, file=(shown := io.StringIO()))
    compare_runs(runs, extra=Extra(slices=True), console=console)
    lines = list(map(str.split, shown.getvalue().partition("by slice")[2].splitlines()))
    counts = next(line for line in lines if "to" in line)
    assert counts[counts.index("to") - 1 : counts.index("to") + 2] == ["0", "to", str(instances)]
    rows = {line[0]: line[2:] for line in lines if line[:1] in (["literal"], ["with_ids"])}
    assert rows["with_ids"].count("-") == 1
    assert rows["literal"].count("-") == 0


@torch.no_grad()
def test_the_rules_of_equation_3_hold_in_a_trained_model(root: Path, data: RecDataModule) -> None:
    model = trained(root / "runs/shop/literal/seed1", data)
    fused, text, image = model.tables().items
    alpha = model.item_encoder.alpha
    assert alpha != 0.5  # training has changed it
    expected = {"both": alpha * text + (1 - alpha) * image, "text": text, "image": image, "neither": 0 * fused}
    for name, vectors in expected.items():
        torch.testing.assert_close(fused[items_of(name, data)], vectors[items_of(name, data)])
    scores = model.score(next(iter(data.test_dataloader())))
    assert scores.isfinite().all()
    assert not scores[:, items_of("neither", data)].any()  # zero vectors tie


@torch.no_grad()
def test_items_without_training_interactions_keep_their_own_vector(run: Path, data: RecDataModule) -> None:
    model = trained(run, data)
    unseen = torch.nonzero(data.catalog.train.popularity[1:] == 0).squeeze(1) + 1
    assert len(unseen) == UNSEEN
    tables = model.tables()
    layers = 1 + model.static.layers
    torch.testing.assert_close(
        tables.static_items[unseen] * layers, tables.items.fused[unseen]
    )  # they have no neighbours in the graph
    assert tables.static_items.isfinite().all()
    if model.item_encoder.id is not None:
        neither = items_of("neither", data)
        torch.testing.assert_close(tables.items.fused[neither], model.item_encoder.id.weight[neither])


def test_items_without_text_and_image_are_not_neighbours_of_others(root: Path, data: RecDataModule) -> None:
    neither = items_of("neither", data)
    table = trained(root / "runs/shop/literal/seed1", data).neighbours()
    assert (table[neither] == torch.tensor(neither)[:, None]).all()
    others = [item for item in range(1, data.n_items) if item not in neither]
    assert not torch.isin(table[others], torch.tensor(neither)).any()
    with_ids = trained(root / "runs/shop/with_ids/seed1", data).neighbours()
    assert torch.isin(with_ids[others], torch.tensor(neither)).any()  # an id gives them a vector


@pytest.mark.parametrize("backend", ["faiss", "torch"])
def test_a_zero_vector_is_not_a_neighbour_of_others(backend: str) -> None:
    vectors = torch.tensor([[0.0, 0], [1, 0], [1, 1], [-1, 0], [0, 0], [-1, -1]])  # only 3 is near 5
    table = nearest_neighbours(vectors, 4, backend)
    assert table[[1, 5]].tolist() == [[2, 5, 3, 1], [3, 1, 2, 5]]  # all other items with a vector, then itself
    assert table[4].tolist() == [4] * 4
    assert nearest_neighbours(torch.zeros(4, 2), 2, backend).tolist() == [[i, i] for i in range(4)]


def test_explanations_state_only_known_facts(run: Path) -> None:
    rows = [json.loads(line) for line in (run / "explanations.jsonl").read_text().splitlines()]
    assert len(rows) == 6 * 35  # whole lists, which hold items of every kind
    for row in rows:
        has_text, has_image = (kind(row["item"]) in ("both", name) for name in ("text", "image"))
        packet = row["packet"]
        assert bool(packet["keywords"]) == has_text
        assert bool(packet["visual"]) == has_image
        assert (packet["title"] == row["item"]) == (not has_text)
        shown = (row["prompt"] or "").partition("Answer with")[0] + row["text"]
        assert not [word for word in ("None", "null", "nan", '""', "“”", "  ") if word in shown]
        if "literal" in str(run):
            weight = packet["signals"].get("alpha")
            rules = {"text": weight == 1, "image": weight == 0, "both": weight not in (None, 0, 1)}
            assert rules.get(kind(row["item"]), weight is None and packet["neighbours"] == [])


@pytest.mark.parametrize("title", [None, "", "  ", "\u200b\x00"])
def test_a_blank_title_is_not_named_in_an_explanation(title: str | None) -> None:
    empty = {"text": None, "image": None, "attributes": None}
    items = pl.DataFrame([{"raw_id": raw_id, "title": title, **empty} for raw_id in ("", "b1", "b2", "\u200b")])
    knowledge = Knowledge(items)
    recommendation = Recommendation("ann", 3, 1, 0.5, [1, 2], [2], {})
    packet = build_packet(recommendation, knowledge)
    assert packet.title == "item 3"
    evidence = evidence_of(recommendation, knowledge)
    sentences = write(default_plan(evidence), evidence)
    assert [sentence.text for sentence in sentences] == ["No recorded fact explains this choice."]
    assert [item.title for item in packet.history] == ["b1", "b2"]


@pytest.mark.parametrize("text", ["true", "false"])
def test_a_shop_without_images_ends_in_one_line(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit_:
        command("fit", tmp_path, "--data.source.init_args.pictures", "false", "--model.init_args.text", text)
    assert exit_.value.code == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert "image is true, but the data has no image features" in last
