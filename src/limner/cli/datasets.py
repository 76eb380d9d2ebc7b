"""The commands for prepared datasets: info, head, merge, subset, export."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from limner.cli.preparing import Tokens
from limner.data.dataset import Dataset
from limner.data.editing.export import SHARD_SIZE, export_coco, export_jsonl, export_webdataset
from limner.data.editing.merging import merge as merge_datasets
from limner.data.editing.picking import open_captioned, same_words
from limner.data.editing.subset import subset as cut_dataset
from limner.data.facts import facts_of
from limner.data.opening import open_dataset
from limner.data.preparing.duplicates import named
from limner.data.sources import read_text
from limner.data.tokens import TokenConfig
from limner.describe import describe_dataset
from limner.errors import InputError
from limner.report.frame import refuse_other_files
from limner.report.rows import write_rows
from limner.terminal import print_counts, print_row, say

app = typer.Typer(rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def root(context: typer.Context) -> None:
    """Look at prepared datasets, merge, cut and export them."""
    if context.invoked_subcommand is None:
        print(context.get_help())


class Formats(StrEnum):
    """What a dataset is exported to."""

    coco = "coco"
    jsonl = "jsonl"
    webdataset = "webdataset"


DatasetArgument = Annotated[Path, typer.Argument(help="The folder that `limner prepare` wrote.")]
OutOption = Annotated[Path, typer.Option(help="Folder of the new dataset, made if missing.")]
MinCountOption = Annotated[
    int | None, typer.Option(min=1, help="Words that stand less often become <UNK> [as it was].")
]
MaxWordsOption = Annotated[
    int | None, typer.Option(min=1, help="Longer captions are cut [as it was].")
]
TokensOption = Annotated[
    Tokens | None, typer.Option(help="What a caption is a sequence of [as it was].")
]


@app.command()
def info(
    dataset: DatasetArgument,
    as_json: Annotated[bool, typer.Option("--json", help="All facts as JSON.")] = False,
) -> None:
    """Say what a dataset holds: pictures, captions, words, features, and where they are from."""
    opened = open_dataset(dataset)
    if as_json:
        print(json.dumps(facts_of(opened), ensure_ascii=False, indent=2))
        return
    for name, fact in describe_dataset(opened).items():
        print(f"{name}: {fact}")


@app.command()
def head(
    dataset: DatasetArgument,
    split: Annotated[str, typer.Option(help="Which part of the dataset.")] = "train",
    number: Annotated[int, typer.Option(min=1, help="How many pictures.")] = 5,
    start: Annotated[int, typer.Option(min=0, help="The first of them, counted from 0.")] = 0,
    pictures: Annotated[
        bool, typer.Option("--pictures/--no-pictures", help="Draw them, where there are colours.")
    ] = True,
    html: Annotated[
        Path | None, typer.Option(help="Write them to a page to open in a browser.")
    ] = None,
) -> None:
    """Show pictures of a dataset with what people wrote; words that become <UNK> are marked."""
    if html:
        refuse_other_files(html)
    opened = open_dataset(dataset)
    _, part = opened.split(split)
    count = len(part.image_ids)
    if start >= count:
        raise InputError(f"--start {start}: {dataset} has {count:,} pictures in {split}")
    rows = range(start, min(start + number, count))
    if html:
        write_rows(html, opened, split, rows)
        print(f"page: {html}")
        return
    for row in rows:
        print_row(opened, split, row, pictures)


@app.command()
def merge(
    datasets: Annotated[list[Path], typer.Argument(help="Two datasets or more.")],
    out: OutOption,
    min_count: MinCountOption = None,
    max_words: MaxWordsOption = None,
    tokens: TokensOption = None,
) -> None:
    """Make one dataset of several whose features are of one kind."""
    if len(datasets) < 2:
        raise InputError(f"{datasets[0]}: one dataset alone; name two or more to merge")
    opened = [open_captioned(path) for path in datasets]
    words = _words(opened[0], min_count, max_words, tokens)
    print_counts(merge_datasets(opened, out, words, say))


@app.command()
def subset(
    dataset: DatasetArgument,
    out: OutOption,
    split: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=COUNT",
            help="So many pictures of a split, by chance; 0 leaves it out; repeat for others.",
        ),
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="Keep the pictures that this file names, one a line.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the chance.")] = 0,
    min_count: MinCountOption = None,
    max_words: MaxWordsOption = None,
    tokens: TokensOption = None,
) -> None:
    """Cut a dataset: so many pictures of each split, or those of a list."""
    counts = dict(_count(text) for text in split or ())
    opened = open_captioned(dataset)
    names = None
    if images:
        names = [line.strip() for line in read_text(images).split("\n") if line.strip()]
    words = _words(opened, min_count, max_words, tokens)
    print_counts(
        cut_dataset(opened, out, words, counts=counts, images=names, seed=seed, report=say)
    )


@app.command()
def export(
    dataset: DatasetArgument,
    format: Annotated[Formats, typer.Option(help="What to write.")],
    out: Annotated[Path, typer.Option(help="A new folder; for jsonl a new file.")],
    shard_size: Annotated[
        int, typer.Option(min=1, help="Pictures in a shard of WebDataset.")
    ] = SHARD_SIZE,
) -> None:
    """Write a dataset's captions, and for WebDataset its pictures, in a format that others read."""
    opened = open_captioned(dataset)
    if format is Formats.webdataset:
        files, gone = export_webdataset(opened, out, shard_size)
        for line in named("pictures that are gone, left out", list(gone)):
            say(line)
    else:
        if len(opened.origins.all) > 1:
            say(
                f"{dataset}: its pictures are in {len(opened.origins.all)} places, and {format} "
                "only names them; --format webdataset takes them along"
            )
        files = (export_coco if format is Formats.coco else export_jsonl)(opened, out)
    for file in files:
        print(file)


def _words(
    dataset: Dataset, min_count: int | None, max_words: int | None, tokens: Tokens | None
) -> TokenConfig:
    """How captions become ids: as they did, unless another way is asked for."""
    asked = {"min_count": min_count, "max_words": max_words, "tokens": tokens and tokens.value}
    return same_words(dataset).changed(**{k: v for k, v in asked.items() if v is not None})


def _count(text: str) -> tuple[str, int]:
    name, equals, count = text.partition("=")
    if not equals or not count.isdecimal():
        raise InputError(f"--split {text}: expected NAME=COUNT, e.g. train=1000")
    return name, int(count)
