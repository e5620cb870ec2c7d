import json
from pathlib import Path

import pytest

from mmrec.data.prepare.manifest import Manifest
from mmrec.data.prepare.pipeline import PrepareOptions, prepare
from mmrec.data.sources import MovieLens
from mmrec.errors import UserError
from tests.data.rows import jpeg

RATINGS = "userId,movieId,rating,timestamp\n1,20,4,1000000300\n1,10,,1000000300\n2,10,5,1000000100\n"
MOVIES = 'movieId,title,genres\n10,"Misérables, Les (1995)",Drama|Musical\n20,Alien (1979),Horror\n'
FLAGS = {"Drama|Musical": (8, 12), "Horror": (11,)}
LAYOUTS = {
    "csv": {"ratings.csv": RATINGS, "movies.csv": MOVIES},
    "1m": {
        "ratings.dat": "1::20::4::1000000300\n1::10::::1000000300\n2::10::5::1000000100\n",
        "movies.dat": "10::Misérables, Les (1995)::Drama|Musical\n20::Alien (1979)::Horror\n",
    },
    "100k": {
        "u.data": "1\t20\t4\t1000000300\n1\t10\t\t1000000300\n2\t10\t5\t1000000100\n",
        "u.item": "".join(
            f"{movie}|{title}|01-Jan-1995||http://x|{'|'.join('01'[k in FLAGS[genres]] for k in range(19))}\n"
            for movie, title, genres in (
                (10, "Misérables, Les (1995)", "Drama|Musical"),
                (20, "Alien (1979)", "Horror"),
            )
        ),
    },
}


def write(folder: Path, files: dict[str, str], encoding: str = "utf-8") -> MovieLens:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(content, encoding=encoding)
    return MovieLens(str(folder))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_all_layouts_give_the_same_data(layout: str, newline: str, tmp_path: Path) -> None:
    files = {name: content.replace("\n", newline) for name, content in LAYOUTS[layout].items()}
    raw = write(tmp_path, files, "utf-8" if layout == "csv" else "latin-1").read()
    assert raw.interactions.collect().rows() == [
        ("1", "20", 1000000300, 4.0),
        ("1", "10", 1000000300, None),  # a blank rating is unknown, and ties keep the file's order
        ("2", "10", 1000000100, 5.0),
    ]
    assert raw.items.rows() == [
        (
            "10",
            "Misérables, Les",
            "Misérables, Les (1995). Drama, Musical",
            None,
            None,
            facts("1995", "Drama", "Musical"),
        ),
        ("20", "Alien", "Alien (1979). Horror", None, None, facts("1979", "Horror")),
    ]
    assert raw.rejected == {}


def facts(year: str, *genres: str) -> str:
    return json.dumps({"genres": genres, "year": year})


def test_overviews_people_and_posters(tmp_path: Path) -> None:
    overviews = (
        'movieId,overview,director,actors\n20,"A crew, a\nguest.",Ridley Scott,"Tom Skerritt, Sigourney Weaver"\n'
    )
    source = write(tmp_path, {**LAYOUTS["csv"], "overviews.csv": overviews, "links.csv": "movieId,imdbId\n"})
    (tmp_path / "posters").mkdir()
    (tmp_path / "posters" / "20.webp").write_bytes(jpeg())
    _, (_, _, text, image, _, attributes) = source.read().items.rows()
    assert text == "Alien (1979). Horror. A crew, a\nguest."
    assert image == str(tmp_path / "posters" / "20.webp")
    assert json.loads(attributes)["director"] == ["Ridley Scott"]
    assert json.loads(attributes)["actors"] == ["Tom Skerritt", "Sigourney Weaver"]
    assert [path.name for path in source.files()] == ["ratings.csv", "movies.csv", "overviews.csv"]


def test_bad_rows_are_counted_by_kind_with_their_first_place(tmp_path: Path) -> None:
    bad = ["1,20,4", ",20,4,1000000005", "1,,4,1000000005", "1,20,x,1000000005", "1,20,4,-5", "1,20,4,884541340800"]
    bad += ["1,20,4,1000000005,6", "1,20,nan,1000000005", "1,20,4,10000"]
    movies = MOVIES + ",No Id,Drama\n"
    raw = write(tmp_path, {"ratings.csv": RATINGS + "\n".join(bad), "movies.csv": movies}).read()
    assert {kind: (entry.count, Path(entry.first).name) for kind, entry in raw.rejected.items()} == {
        "impossible timestamp": (4, "ratings.csv:5"),  # the last one is cut off
        "missing user": (1, "ratings.csv:6"),
        "missing item": (1, "ratings.csv:7"),
        "malformed rating": (2, "ratings.csv:8"),
        "too many fields": (1, "ratings.csv:11"),
    }
    assert {kind: entry.count for kind, entry in raw.rejected_items.items()} == {"movie without id": 1}
    assert raw.interactions.collect().height == 3
    assert (raw.rows_read, raw.item_rows_read) == (3 + len(bad), 3)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"ratings.csv": RATINGS.replace("movieId", "item")}, r"ratings\.csv: no column 'movieId' among userId, item"),
        ({"movies.csv": "movieId,name,genres\n"}, r"movies\.csv: no column 'title' among movieId, name, genres"),
        ({"overviews.csv": "movieId,plot\n"}, r"overviews\.csv: no column 'overview' among movieId, plot"),
        ({"ratings.csv": ""}, r"ratings\.csv: the file is empty"),
        ({"ratings.csv": RATINGS + '1,"20,4,5\n'}, r"ratings\.csv:5: a quotation mark is not closed"),
    ],
)
def test_malformed_files_are_named(files: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        write(tmp_path, {**LAYOUTS["csv"], **files}).read()


def test_malformed_dat_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ratings\.dat:1: expected user, item, rating and timestamp"):
        write(tmp_path, {**LAYOUTS["1m"], "ratings.dat": RATINGS}).read()
    with pytest.raises(UserError, match=r"movies\.dat:2: expected id, title and genres, found '20'"):
        write(tmp_path, {**LAYOUTS["1m"], "movies.dat": "10::Heat::Drama\n20\n"}).read()


def test_missing_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="is not a MovieLens folder"):
        MovieLens(str(tmp_path)).files()
    with pytest.raises(UserError, match=r"movies\.csv is missing"):
        write(tmp_path / "half", {"ratings.csv": RATINGS}).files()
    monkeypatch.setenv("MMREC_DATA", str(tmp_path))
    assert MovieLens("half").image_folder() == tmp_path / "half" / "posters"  # where downloads go


def test_item_rows_with_too_many_fields_are_counted_and_left_out(tmp_path: Path) -> None:
    overviews = "movieId,overview,director\n20,A hat, warm and light,Jane Doe\n10,A priest,Tom\n10,Again,Tim\n"
    movies = MOVIES + "30,Movie, The 1 (1995),Drama|War\n"
    raw = write(tmp_path, {**LAYOUTS["csv"], "movies.csv": movies, "overviews.csv": overviews}).read()
    assert {kind: (bad.count, Path(bad.first).name) for kind, bad in raw.rejected_items.items()} == {
        "movie with too many fields": (1, "movies.csv:4"),
        "overview with too many fields": (1, "overviews.csv:2"),
    }
    assert raw.items["item"].to_list() == ["10", "20"]
    assert raw.items["text"].to_list() == ["Misérables, Les (1995). Drama, Musical. A priest", "Alien (1979). Horror"]


def test_titles_in_csv_must_be_utf8_and_dat_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "dat").mkdir()
    raw = write(tmp_path / "dat", {**LAYOUTS["1m"], "movies.dat": "\ufeff10::Heat (1995)::Drama\n"}).read()
    assert raw.items["item"].to_list() == ["10"]
    with pytest.raises(UserError, match=r"movies\.csv:2: not UTF-8"):
        write(tmp_path, LAYOUTS["csv"], "latin-1").read()


@pytest.mark.realdata
def test_real_movielens_is_the_published_protocol(real_data: Path, tmp_path: Path) -> None:
    source = MovieLens(str(real_data / "movielens-1m-poster"))
    counts = {}
    for required in (False, True):
        options = PrepareOptions(
            user_core=5, item_core=5, require_text=required, require_image=required, split="leave_one_out"
        )
        manifest = Manifest.load(prepare(source, options, tmp_path))
        counts[required] = (manifest.n_users, manifest.n_items - 1, manifest.n_interactions)
        assert manifest.splits["test"] == manifest.splits["valid"] == 6040
        assert manifest.rejected == {}
    assert counts == {False: (6040, 3416, 999_611), True: (6040, 3412, 999_545)}
