"""The commands for prepared datasets: info, head, merge, subset, export."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec import Meta

from limner.cli.console import log, print_counts, print_facts, print_row
from limner.cli.describe import describe_dataset
from limner.cli.options import Given, struct_options
from limner.config import MANY, Config, Positive, annotations
from limner.data.editing.export import ExportConfig, export_coco, export_jsonl, export_webdataset
from limner.data.editing.merging import merge as merge_datasets
from limner.data.editing.selection import open_captioned, same_tokens
from limner.data.editing.subset import SubsetConfig
from limner.data.editing.subset import subset as cut_dataset
from limner.data.facts import facts_of
from limner.data.opening import open_dataset
from limner.data.preparing.duplicates import named
from limner.data.tokens import TokenConfig
from limner.errors import InputError
from limner.report.page import refuse_other_files
from limner.report.rows import write_rows

app = typer.Typer(rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def root(context: typer.Context) -> None:
    """Inspect, merge, subset and export datasets."""
    if context.invoked_subcommand is None:
        print(context.get_help())


class HeadConfig(Config, frozen=True, kw_only=True):
    """Options of `limner dataset head`."""

    split: Annotated[str, Meta(description="Split of the dataset.")] = "train"
    number: Annotated[Positive, Meta(description="Number of images.")] = 5
    start: Annotated[int, Meta(ge=0, le=MANY, description="Index of the first image, from 0.")] = 0


DatasetArgument = Annotated[Path, typer.Argument(help="Folder written by `limner prepare`.")]
OutOption = Annotated[Path, typer.Option(help="Folder of the new dataset, created if missing.")]
Words = Annotated[dict[str, Any], Given(**annotations(TokenConfig))]
"""Tokenization options that override those of the dataset."""


@app.command()
@struct_options
def info(
    dataset: DatasetArgument,
    as_json: Annotated[bool, typer.Option("--json", help="Print all facts as JSON.")] = False,
) -> None:
    """Describe a dataset: images, captions, vocabulary, features, and their sources."""
    opened = open_dataset(dataset)
    if as_json:
        print(json.dumps(facts_of(opened), ensure_ascii=False, indent=2))
    else:
        print_facts(describe_dataset(opened))


@app.command()
@struct_options
def head(
    dataset: DatasetArgument,
    images: Annotated[
        bool, typer.Option("--images/--no-images", help="Draw images in a color terminal.")
    ] = True,
    html: Annotated[Path | None, typer.Option(help="Write an HTML page instead.")] = None,
    *,
    config: HeadConfig,
) -> None:
    """Show images of a dataset with their captions; out-of-vocabulary words are marked."""
    if html:
        refuse_other_files(html)
    opened = open_dataset(dataset)
    split, part = opened.split(config.split)
    count = len(part.image_ids)
    if config.start >= count:
        raise InputError(f"--start {config.start}: {dataset} has {count:,} images in {split}")
    rows = range(config.start, min(config.start + config.number, count))
    if html:
        write_rows(html, opened, split, rows)
        print(f"page: {html}")
        return
    for row in rows:
        print_row(opened, split, row, images)


@app.command()
@struct_options
def merge(
    datasets: Annotated[list[Path], typer.Argument(help="Two or more datasets.")],
    out: OutOption,
    words: Words,
) -> None:
    """Merge datasets whose features are of the same kind.

    Tokenization options default to those of the first dataset.
    """
    if len(datasets) < 2:
        raise InputError(f"{datasets[0]}: only one dataset; give two or more to merge")
    opened = [open_captioned(path) for path in datasets]
    tokens = same_tokens(opened[0]).changed(**words)
    print_counts(merge_datasets(opened, out, tokens, log))


@app.command()
@struct_options
def subset(
    dataset: DatasetArgument,
    out: OutOption,
    words: Words,
    *,
    config: SubsetConfig,
) -> None:
    """Select random images of each split, or the images of a list.

    Tokenization options default to those of the dataset.
    """
    opened = open_captioned(dataset)
    tokens = same_tokens(opened).changed(**words)
    print_counts(cut_dataset(opened, out, tokens, config, log))


@app.command()
@struct_options
def export(
    dataset: DatasetArgument,
    out: Annotated[Path, typer.Option(help="New folder; for jsonl, new file.")],
    *,
    config: ExportConfig,
) -> None:
    """Export captions, and for WebDataset also images, in a common format."""
    opened = open_captioned(dataset)
    if config.format == "webdataset":
        files, gone = export_webdataset(opened, out, config.shard_size)
        for line in named("images not found, skipped", list(gone)):
            log(line)
    else:
        if len(opened.origins.all) > 1:
            log(
                f"{dataset}: its images are in {len(opened.origins.all)} folders, and "
                f"{config.format} stores only their names; --format webdataset includes them"
            )
        files = (export_coco if config.format == "coco" else export_jsonl)(opened, out)
    print(*files, sep="\n")
