"""`mmrec items`: items that are added to a trained run, without training it again."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jsonargparse import ArgumentParser, Namespace

from mmrec.data.features.encoders import FeatureEncoder, PrecomputedEncoder
from mmrec.data.features.new_items import AddedItems
from mmrec.data.sources.readers.ids import one_spelling
from mmrec.errors import UserError
from mmrec.inference import load
from mmrec.training.added_items import FILE, read_added
from mmrec.training.run_folder import only_writer, open_data, run_folder


def items(args: Sequence[str]) -> None:
    """Add items to a trained run, list or remove those that were added."""
    parser = ArgumentParser(prog="mmrec items", description=items.__doc__, exit_on_error=False)
    ways = parser.add_subcommands(dest="way", required=True)
    for name, way in {"add": _add, "list": _list, "remove": _remove}.items():
        ways.add_subcommand(name, _parser(name, way.__doc__), help=way.__doc__)
    options = parser.parse_args(list(args))
    {"add": _add, "list": _list, "remove": _remove}[options.way](options[options.way])


def _parser(name: str, description: str | None) -> ArgumentParser:
    parser = ArgumentParser(prog=f"mmrec items {name}", description=description, exit_on_error=False)
    parser.add_argument("run", type=Path, help="folder of a run, for example runs/hm-article/mm_racl_kal_id/seed1")
    if name == "add":
        parser.add_argument(
            "file", type=Path,
            help="CSV, JSON lines or Parquet with the columns id, title, text, image and attributes, or with those of "
            "the run's own source",
        )  # fmt: skip
        parser.add_argument("--images", type=Path | None, default=None, help="folder where image paths start")
        parser.add_argument("--feature_ids", type=str | None, default=None, help="CSV of the ids of given vectors")
        for modality in ("text", "image"):
            words = f".npy of {modality} vectors of new items, for a run whose features came as arrays"
            parser.add_argument(f"--{modality}_features", type=str | None, default=None, help=words)
    if name == "remove":
        parser.add_argument("ids", nargs="+", help="raw ids of added items")
    return parser


def _add(options: Namespace) -> None:
    """Add items without interactions to a run: they are scored by their text and image."""
    folder = run_folder(options.run)
    with only_writer(folder):
        shop = load(folder)
        report = shop.add_items(options.file, options.images, encoder=_arrays(options, shop.encoder))
        if shop.added is not None:
            earlier = read_added(folder, shop.features)
            (shop.added if earlier is None else earlier.joined(shop.added)).save(folder / FILE)
    print(f"{folder}: {report}")


def _arrays(options: Namespace, encoder: FeatureEncoder | None) -> PrecomputedEncoder | None:
    """Return what reads the vectors of new items; None for the encoder of the run."""
    if options.feature_ids is None:
        if options.text_features or options.image_features:
            raise UserError("--feature_ids must name the CSV of the items' ids, one per row of the arrays")
        return None
    if not isinstance(encoder, PrecomputedEncoder):
        raise UserError("--feature_ids: the features of this run are made by an encoder; leave the option out")
    return PrecomputedEncoder(
        options.feature_ids, options.text_features, options.image_features, encoder.name, encoder.id_length
    )


def _list(options: Namespace) -> None:
    """List the items that were added to a run."""
    folder = run_folder(options.run)
    added = read_added(folder, open_data(folder).features)
    rows = [] if added is None else added.table.select("raw_id", "title").rows()
    for raw, title in rows:
        print(f"{raw}\t{title or ''}")
    print(f"{len(rows):,} items were added", file=sys.stderr)  # so that the ids can be passed on


def _remove(options: Namespace) -> None:
    """Remove items from those that were added to a run."""
    folder = run_folder(options.run)
    ids = {one_spelling(raw) for raw in options.ids}
    with only_writer(folder):
        added = read_added(folder, open_data(folder).features)
        known = [] if added is None else added.table["raw_id"].to_list()
        if lacking := [raw for raw in options.ids if one_spelling(raw) not in known]:
            raise UserError(f"{folder}: {lacking[0]} is not among the {len(known)} items that were added")
        assert added is not None  # it holds the ids
        left: AddedItems = added.only(np.array([raw not in ids for raw in known]))
        left.save(folder / FILE)
    print(f"{folder}: removed {len(known) - left.table.height:,} items, {left.table.height:,} are left")
