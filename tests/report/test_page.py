"""The HTML page, its parts, and the whole of it in a real browser."""

import base64
import io
import json
import math
from pathlib import Path

import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mmrec.data.datamodule import RecDataModule
from mmrec.errors import UserError
from mmrec.report.charts import bar_chart, line_chart, ticks
from mmrec.report.images import SIDE, thumbnail
from mmrec.report.marks import pieces
from mmrec.report.write import write_page
from mmrec.results.aggregate import Board, boards
from mmrec.results.curves import read_curves
from mmrec.results.load import find_runs
from mmrec.results.tables import measures_table, metrics_of
from tests.report.browser import CHROMIUM, Page
from tests.results.test_compare import PROTOCOL, save

ATTACK = "<script>window.attacked = true</script><img src=x onerror='window.attacked = true'>"
SLICES = {"cold": {"instances": 3, "ndcg@10": 0.25}, "unseen": {"instances": 0, "ndcg@10": None}}


def gather(folder: Path) -> list[Board]:
    return boards(find_runs(folder).runs)


def test_a_board_holds_only_runs_that_may_be_compared(tmp_path: Path) -> None:
    save(tmp_path / "runs", "gru4rec", metrics={"ndcg@10": 0.75})
    save(tmp_path / "runs", "sampled", protocol={**PROTOCOL, "candidates": "uniform100"})
    save(tmp_path / "runs", "other", data_hash="1")
    save(tmp_path / "runs", "sasrec").rename(tmp_path / "runs" / "sasrec" / "seed1.1")  # set aside
    save(tmp_path / "runs", "sasrec")
    made = gather(tmp_path)  # at any depth
    assert [model.name for model in made[0].models] == ["gru4rec", "sasrec"]
    assert sorted(len(board.runs) for board in made) == [1, 1, 2]


def test_a_trial_in_another_folder_is_not_a_further_seed(tmp_path: Path) -> None:
    for folder, value in (("real", 0.5), ("trial", 0.1)):
        save(tmp_path / folder, "sasrec", metrics={"ndcg@10": value})
        save(tmp_path / folder, "gru4rec-0123456789ab" if folder == "real" else "ease")
    (board,) = gather(tmp_path)
    places = [f"sasrec ({tmp_path / folder / 'sasrec'})" for folder in ("real", "trial")]
    assert {model.label for model in board.models} == {"gru4rec", "ease", *places}


def test_copied_results_are_told_apart_by_the_names_of_their_files(tmp_path: Path) -> None:
    result = (save(tmp_path / "runs", "sasrec") / "result.json").read_text()
    (tmp_path / "copies").mkdir()
    for name in ("shop_sasrec_seed1", "shop_sasrec_form_length50_seed1"):
        (tmp_path / "copies" / f"{name}.json").write_text(result)
    (tmp_path / "copies" / "notes.json").write_text("[]")
    (board,) = gather(tmp_path / "copies")
    assert {model.name for model in board.models} == {"sasrec", "sasrec_form_length50"}
    with pytest.raises(UserError, match="holds no results"):
        gather(tmp_path / "nowhere")


def test_curves_of_a_resumed_run_are_joined(tmp_path: Path) -> None:
    (tmp_path / "metrics.1.csv").write_text("epoch,step,train/loss,test/mrr\n0,1,5.0,\n1,2,4.0,\n2,3,9.0,\n")
    (tmp_path / "metrics.csv").write_text("epoch,step,train/loss,test/mrr\n2,3,3.0,\n3,4,nan,\n4,5,,0.5\n")
    assert read_curves(tmp_path) == {"train/loss": [(0, 5.0), (1, 4.0), (2, 3.0)]}


@given(st.floats(-1e6, 1e6), st.just(0.0) | st.floats(1e-30, 1e6))
def test_ticks_are_few_ascend_and_hold_all_values(low: float, span: float) -> None:
    made = ticks(low, low + span)
    assert made == sorted(set(made))
    assert 2 <= len(made) <= 7
    slack = 1e-8 * (made[-1] - made[0])
    assert made[0] <= low + slack
    assert made[-1] >= low + span - slack


def test_figures_place_values_in_proportion() -> None:
    chart = line_chart("Loss", [("a", 0, [(0, 1.0), (1, 3.0), (2, 2.0)])], best=True)
    places = [tuple(map(float, pair.split())) for pair in chart.lines[0].path[1:].split("L")]
    assert [x for x, _ in places] == sorted(x for x, _ in places)
    assert chart.lines[0].dot == min(places, key=lambda place: place[1])  # the highest point has the least y
    bars = bar_chart("NDCG", [("one", 0, [0.2]), ("two", 1, [0.1, 0.3])]).bars
    assert bars[0].end == bars[1].end
    assert bars[0].whisker is None
    assert bars[1].whisker is not None
    spread = math.sqrt(0.02)  # standard deviation with n - 1
    per_unit = (bars[1].dots[1] - bars[1].dots[0]) / 0.2
    assert bars[1].whisker[1] - bars[1].end == pytest.approx(spread * per_unit, abs=0.3)


def test_best_and_second_best_are_marked_and_equal_values_alike(tmp_path: Path) -> None:
    for name, value in (("a", 0.3), ("b", 0.3), ("c", 0.2), ("d", 0.1)):
        save(tmp_path, name, metrics={"ndcg@10": value})
    (board,) = gather(tmp_path)
    rows = measures_table("", board.models, metrics_of(board)).rows
    assert [row[2].mark for row in rows] == ["best", "best", "second", None]


PACKET = {
    "title": "Night Train", "facts": {"genre": ["Crime"], "year": ["1994"]}, "signals": {},
    "history": [{"title": "Quiet Harbour", "shared": {}}],
}  # fmt: skip


def test_parts_of_a_text_are_marked_with_their_statement() -> None:
    row = {
        "text": "It is a Crime story. You own Quiet Harbour.",
        "sentences": [
            {"text": "It is a Crime story.", "spans": [[8, 13, "s1"], [10, 13, "s2"], [90, 99, "s1"], ["torn"]]},
            {"text": "You own Quiet Harbour.", "spans": [[8, 21, "s2"]]},
        ],
        "statements": [{"id": "s1", "text": "Its genre is Crime."}, {"id": "s2", "text": "You own Quiet Harbour."}],
        "packet": PACKET,
    }
    made = pieces(row)
    assert "".join(piece.text for piece in made) == row["text"]
    assert [(piece.text, piece.evidence) for piece in made if piece.evidence] == [
        ("Crime", "Its genre is Crime."), ("Quiet Harbour", "You own Quiet Harbour."),
    ]  # fmt: skip


def test_a_text_of_an_older_version_has_no_marks() -> None:
    text = "You liked “Quiet Harbour”: this is a Crime story of １９９４, not a Western."
    assert [(piece.text, piece.evidence) for piece in pieces({"text": text, "packet": PACKET})] == [(text, "")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"user": "u"', r"explanations\.jsonl:2: not valid JSON"),
        (b"[]", r"explanations\.jsonl:2: it must be a mapping"),
        (b'{"user": "u", "item": 3}', r"explanations\.jsonl:2: item must be a text"),
        (b"\xff", r"explanations\.jsonl: not a text file in UTF-8"),
    ],
)
def test_damaged_explanations_are_named_with_their_line(
    content: bytes, words: str, toy: RecDataModule, tmp_path: Path
) -> None:
    save_run(tmp_path, "sasrec", 0.5, toy)
    file = tmp_path / "sasrec" / "seed1" / "explanations.jsonl"
    file.write_bytes(file.read_bytes() + content)
    with pytest.raises(UserError, match=words):
        write_page(tmp_path, tmp_path / "report.html")


def test_unfinished_runs_are_named_on_the_page(tmp_path: Path) -> None:
    save(tmp_path, "sasrec")
    (tmp_path / "gru4rec" / "seed2").mkdir(parents=True)
    write_page(tmp_path, tmp_path / "report.html")
    assert f"<code>{tmp_path / 'gru4rec' / 'seed2'}</code>" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("metrics", [{}, {"ndcg@10": None}])
def test_a_result_without_a_number_is_shown_without_figures(metrics: dict[str, None], tmp_path: Path) -> None:
    save(tmp_path, "sasrec", metrics=metrics, training={"epochs": 0, "seconds": 0.0})
    write_page(tmp_path, tmp_path / "report.html")
    assert "sasrec" in (tmp_path / "report.html").read_text()


def test_images_become_small_and_files_that_are_not_images_are_left_out(tmp_path: Path) -> None:
    Image.new("RGBA", (800, 400), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    (tmp_path / "broken.png").write_bytes((tmp_path / "clear.png").read_bytes()[:60])
    uri = thumbnail(tmp_path / "clear.png")
    assert uri is not None
    small = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
    assert small.size == (SIDE, SIDE // 2)
    assert small.getpixel((5, 5)) == (255, 255, 255)
    assert thumbnail(tmp_path / "broken.png") is None
    assert thumbnail(tmp_path / "absent.png") is None


def save_run(folder: Path, model: str, value: float, data: RecDataModule) -> None:
    """Write a run of the toy data as a fit and a test leave it; catalogue text and names are an attack."""
    slices = {**SLICES, "head": {"instances": 5, "ndcg@10": value}}
    result = {"dataset": "toy", "data_hash": data.catalog.manifest.data_hash, "slices": slices}
    beyond = {"coverage@10": value}
    metrics = {"hr@10": 1 - value, "ndcg@10": value}
    run = save(folder, model, metrics=metrics, beyond_accuracy=beyond, peak_memory_mb={"host": 9}, **result)
    (run / "metrics.csv").write_text(
        "epoch,step,train/loss,train/loss_a,train/loss_b,train/alpha,train/gate,valid/ndcg@10\n"
        "0,1,3.0,2.0,1.0,0.5,0.5,0.1\n1,2,2.0,1.5,0.5,0.6,0.4,0.2\n"
    )
    (run / "config.yaml").write_text(yaml.safe_dump({"data": {"root": str(data.root)}}))
    items = [str(raw_id) for raw_id in data.catalog.item_table["raw_id"][1:4]]
    packet = {
        "title": f"{ATTACK} hat", "facts": {"brand": ["Halcyon"], ATTACK: [ATTACK]}, "keywords": [], "visual": [],
        "history": [{"title": ATTACK, "shared": {}}, {"title": "Wool shoes", "shared": {"brand": ["Halcyon"]}}],
        "neighbours": [], "signals": {"alpha": 0.5},
    }  # fmt: skip
    row = {
        "user": f"u{ATTACK}", "item": items[0], "rank": 1, "text": f"By Halcyon, as your {ATTACK}.", "source": "llm",
        "sentences": [{"text": f"By Halcyon, as your {ATTACK}.", "statements": ["s1"], "spans": [[3, 10, "s1"]]}],
        "statements": [{"id": "s1", "text": f"Its brand is Halcyon, {ATTACK}.", "name": "brand", "value": "Halcyon"}],
        "cause": None, "model": f"tiny {ATTACK}", "history": items[1:], "packet": packet,
    }  # fmt: skip
    (run / "explanations.jsonl").write_text(json.dumps(row) + "\n")
    ranks = {"user": [f"u{ATTACK}"], "item": [items[2]], "rank": [7.0]}
    pl.DataFrame(ranks).write_parquet(run / "test_ranks.parquet")
    lists = {"user": [f"u{ATTACK}"] * 2, "item": items[:2], "rank": [1, 2], "score": [2.0, 1.0]}
    pl.DataFrame(lists).write_parquet(run / "recommendations.parquet")


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, as in Debian's package of that name")
def test_the_page_in_a_browser(toy: RecDataModule, tmp_path: Path) -> None:
    names = ("mm_racl_kal", "sasrec", ATTACK.replace("/", "_"), "a_long_name_" * 6)
    for place, name in enumerate(names):
        save_run(tmp_path / "runs", name, 0.4 - place / 10, toy)
    write_page(tmp_path / "runs", tmp_path / "report.html")
    with Page(tmp_path / "report.html", tmp_path / "profile") as page:
        for width, dark in ((1280, False), (1280, True), (390, True), (390, False)):
            page.show(width, dark=dark)
            assert page.run("document.documentElement.scrollWidth") <= width
            assert page.run("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0] < 128") is dark
        # Foreign text is escaped: it is shown as it is, and none of it becomes an element or runs.
        assert page.run("window.attacked") is None
        assert page.run("document.querySelectorAll('main script, main img').length") == 0
        assert page.run("document.querySelector('.choice .title').textContent") == f"{ATTACK} hat"
        assert page.run("document.querySelector('summary').textContent").startswith(f"u{ATTACK}")
        # Images, marks, figures.
        shown = "getComputedStyle(document.querySelector('.head .image')).backgroundImage"
        assert page.run(shown).startswith('url("data:image/jpeg')
        assert page.run("document.querySelectorAll('.strip .image[class*=\" p\"]').length") > 4 * 2
        assert page.run("document.querySelector('.why mark').textContent") == "Halcyon"
        assert page.run("document.querySelector('.facts .named').textContent") == "Halcyon"
        assert page.run("document.querySelector('.choice').textContent").count("rank of the next item: 7") == 1
        titles = page.run("[...document.querySelectorAll('figcaption')].map(each => each.textContent)")
        for title in ("Validation NDCG@10", "Training loss", "α", "Gate", "mm_racl_kal: terms of the loss"):
            assert any(each.startswith(title) for each in titles)
        # Sorting: numbers largest first, then smallest first; then words. Missing values come last.
        column = "[...document.querySelector('tbody').rows].map(row => row.cells[0].dataset.value)"
        click = "document.querySelectorAll('#board1 thead')[0].rows[0].cells[{}].querySelector('button').click()"
        assert page.run(column) == list(names)
        page.run(click.format(2))
        assert page.run(column) == list(names[::-1])
        page.run(click.format(2))
        assert page.run(column) == list(names)
        page.run(click.format(0))
        assert page.run(column) == [names[2], names[3], names[0], names[1]]  # signs come before letters
        # A chip shows its model alone.
        page.run("document.querySelectorAll('.chip')[1].click()")
        faded = page.run("[...document.querySelectorAll('[data-model]:not(.faded)')].map(part => part.dataset.model)")
        assert set(faded) == {"sasrec"}
        assert page.errors == []
        assert {address.partition(":")[0] for address in page.requests} == {"file", "data"}
        assert {address for address in page.requests if address.startswith("file")} == {
            (tmp_path / "report.html").resolve().as_uri()
        }
