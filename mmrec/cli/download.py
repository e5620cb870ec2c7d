"""`mmrec download`: official data sets, and images by a list of addresses."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser
from rich import box
from rich.markup import escape
from rich.table import Table

from mmrec.cli.data_section import build_data, data_parser
from mmrec.data.prepare.pipeline import missing_images
from mmrec.data.sources import Tabular
from mmrec.download.addresses import Addresses, load_addresses
from mmrec.download.dataset import download_dataset
from mmrec.download.images import ImageSummary, download_images
from mmrec.download.limits import ImageLimits, Limits
from mmrec.download.tables import read_urls
from mmrec.errors import UserError, require
from mmrec.utils.console import wide_console

SHOWN = 5
"""Ids that a message names at most."""


def download(args: Sequence[str]) -> None:
    """Download a data set from its official address, or images by a list of addresses."""
    if args and args[0] == "images":
        _images(args[1:])
    else:
        _dataset(args)


def _dataset(args: Sequence[str]) -> None:
    parser = ArgumentParser(
        prog="mmrec download",
        exit_on_error=False,
        description=f"{download.__doc__} For the latter see `mmrec download images --help`.",
    )
    parser.add_argument("dataset", nargs="?", help="a name that --list shows, for example movielens-1m")
    parser.add_argument("--list", action="store_true", help="show what there is, under which terms")
    parser.add_argument("--to", type=Path | None, default=None, help="folder ($MMREC_DATA, else data/raw)")
    parser.add_argument("--category", type=str | None, default=None, help="of an Amazon release, in any letter case")
    parser.add_argument(
        "--addresses", type=Path | None, default=None, help="another addresses file than the shipped one"
    )
    parser.add_argument("--limits", type=Limits, default=Limits())
    options = parser.parse_args(list(args))
    addresses = load_addresses(options.addresses)
    if options.list:
        _show(addresses)
        return
    if options.dataset is None:
        raise UserError("mmrec download needs the name of a data set: --list shows them")
    dataset = addresses.find(options.dataset)
    print(f"{dataset.name}: {dataset.about} {dataset.home}\nterms: {dataset.licence}\ncite: {dataset.citation}")
    root = options.to or Path(os.environ.get("MMREC_DATA") or Path("data", "raw"))
    limits = parser.instantiate_classes(options).limits
    folder = download_dataset(addresses, dataset.name, root, options.category, limits)
    print(f"in {folder}, for `--data.source.init_args.path {folder}`")


def _images(args: Sequence[str]) -> None:
    of_config = any(arg.split("=")[0] in ("-c", "--config", "--data") for arg in args)
    description = "Download images: of a list of addresses, or those that the items of a config lack."
    if of_config:
        parser = data_parser("download images", description)
    else:
        parser = ArgumentParser(prog="mmrec download images", description=description, exit_on_error=False)
        parser.add_argument("--config", type=Path, help="any run config: its items' images, into its source's folder")
        parser.add_argument("--urls", type=Path, help="instead: CSV or Parquet, a row for each id and address")
        parser.add_argument("--to", type=Path, help="folder of the images, for example FOLDER/posters")
        parser.add_argument("--id_column", type=str, default="id", help="its column of ids, which become file names")
        parser.add_argument("--url_column", type=str, default="url", help="its column of addresses")
    parser.add_argument("--max_failed_share", type=float, default=1.0, help="of ids without an image; more is an error")
    parser.add_argument("--retry_failed", action="store_true", help="ask again for images that were gone (404, 410)")
    parser.add_argument("--limits", type=ImageLimits, default=ImageLimits())
    options = ready = build_data(parser, args) if of_config else parser.instantiate_classes(parser.parse_args(args))
    share = options.max_failed_share
    require(0 <= share <= 1, "--max_failed_share", share, "between 0 and 1")
    if of_config:
        if isinstance(ready.data.source, Tabular):
            ready.data.source.require_downloadable()
        table, folder = missing_images(ready.data.source, ready.data.options, ready.data.root)
    elif options.urls is None or options.to is None:
        raise UserError("mmrec download images needs --config RUN.yaml, or --urls FILE and --to FOLDER")
    else:
        table, folder = read_urls(options.urls, options.id_column, options.url_column), options.to
    summary = download_images(table, folder, ready.limits, options.retry_failed, replace_broken=of_config)
    show_images(summary, share)


def show_images(summary: ImageSummary, max_failed_share: float) -> None:
    """Print how a run over images has ended.

    Raises:
        UserError: more of them failed than is allowed.
    """
    console = wide_console()
    table = Table(box=box.SIMPLE_HEAD, title=escape(f"{summary.total:,} ids, images in {summary.folder}"))
    table.add_column("")
    table.add_column("ids", justify="right")
    for name, count in (("fetched", summary.fetched), ("already there", summary.present), *summary.failed.items()):
        table.add_row(name, f"{count:,}")
    console.print(table)
    if summary.unsafe:
        names = ", ".join(map(repr, summary.unsafe[:SHOWN])) + (", …" if len(summary.unsafe) > SHOWN else "")
        console.print(f"ids that cannot be file names: {names}", markup=False)
    console.print(f"each failure with its reason: {summary.manifest}", markup=False)
    if summary.failed_share > max_failed_share:
        raise UserError(
            f"{summary.failed_share:.1%} of the images failed, more than --max_failed_share ({max_failed_share:.1%}) "
            f"allows: see {summary.manifest}"
        )


def _show(addresses: Addresses) -> None:
    table = Table(box=box.SIMPLE_HEAD, title=escape(f"data sets in {addresses.path}"))
    for heading in ("name", "what", "size"):
        table.add_column(heading, no_wrap=heading == "name", justify="right" if heading == "size" else "left")
    for dataset in addresses.datasets.values():
        sizes = [file.expected.bytes for file in dataset.files]
        size = f"{sum(filter(None, sizes)) / 1e6:,.0f} MB" if all(sizes) else ""
        table.add_row(dataset.name, dataset.about, size)
    console = wide_console()
    console.print(table)
    for licence in dict.fromkeys(dataset.licence for dataset in addresses.datasets.values()):
        names = [dataset.name for dataset in addresses.datasets.values() if dataset.licence == licence]
        console.print(f"terms of {', '.join(names)}: {licence}", markup=False)
    for dataset in addresses.datasets.values():
        if dataset.categories:
            console.print(f"{dataset.name} --category: {', '.join(dataset.categories)}", markup=False)
