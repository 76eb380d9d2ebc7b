"""The commands that make datasets and models: prepare, train, demo."""

import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from limner.data.dataset import open_dataset
from limner.data.prepare import Job
from limner.data.prepare import prepare as prepare_dataset
from limner.demo import run_demo
from limner.errors import InputError
from limner.settings import TrainConfig, read_config
from limner.stages import report_run, train_with_progress
from limner.terminal import progress_bar, say


class Features(StrEnum):
    """What is kept of a picture."""

    pooled = "pooled"
    grid = "grid"


class Tokens(StrEnum):
    """What captions are made of."""

    word = "word"
    char = "char"


def prepare(
    images: Annotated[Path, typer.Argument(help="Folder of pictures.")],
    captions: Annotated[
        Path,
        typer.Option(help="CSV or TSV with columns image and caption, or Flickr8k's token file."),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the dataset, made if missing.")],
    split: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FILE",
            help="A split from a file of image names, e.g. train=train.txt; repeat for dev, test.",
        ),
    ] = None,
    ratio: Annotated[
        str, typer.Option(metavar="TRAIN,DEV,TEST", help="Shares of the splits, without --split.")
    ] = "80,10,10",
    seed: Annotated[int, typer.Option(min=0, help="Of the split by --ratio.")] = 0,
    min_count: Annotated[
        int, typer.Option(min=1, help="Words that stand less often become <UNK>.")
    ] = 5,
    max_words: Annotated[int, typer.Option(min=1, help="Longer captions are cut.")] = 20,
    backbone: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Another network: FILE.onnx with its .toml beside it, vgg16-fc7, torchvision:NAME "
            "or timm:NAME.",
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Of a --backbone of PyTorch; 'download' fetches the library's own."
        ),
    ] = None,
    features: Annotated[
        Features,
        typer.Option(help="pooled: a vector a picture. grid: of every place, for attention."),
    ] = Features.pooled,
    tokens: Annotated[
        Tokens, typer.Option(help="What a caption is a sequence of: words, or characters.")
    ] = Tokens.word,
    size: Annotated[
        int | None,
        typer.Option(min=32, help="Side of the backbone's input in pixels [224]; 288 sees more."),
    ] = None,
    views: Annotated[
        int,
        typer.Option(
            min=0,
            help="Altered views of every picture to train on, too: the mirror image, then crops.",
        ),
    ] = 0,
) -> None:
    """Make a dataset from pictures and captions. Stopped half-way, run it again: it goes on."""
    job = Job(
        images,
        captions,
        out,
        _split_files(split or []),
        _ratio(ratio),
        seed,
        min_count,
        max_words,
        backbone,
        features is Features.grid,
        size,
        views,
        tokens is Tokens.char,
        weights,
    )
    with progress_bar("extracting features", "pictures") as update:
        dataset = prepare_dataset(job, say, update)
    for name, part in dataset.splits.items():
        print(f"{name}: {len(part.image_ids)} pictures, {len(part.captions)} captions")
    print(f"vocabulary: {len(dataset.vocabulary)} {dataset.vocabulary.unit}")
    print(f"dataset: {out}")


def train(
    dataset: Annotated[Path, typer.Argument(help="Folder that `limner prepare` made.")],
    out: Annotated[Path, typer.Option(help="Folder of the run, made if missing.")],
    config: Annotated[
        Path | None, typer.Option(help="TOML file of settings; options here come before it.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="rnn, or attention for a dataset with a grid [rnn].")
    ] = None,
    cell_type: Annotated[str | None, typer.Option(help="rnn, gru or lstm [lstm].")] = None,
    wordvec_dim: Annotated[int | None, typer.Option(help="Size of a word vector [256].")] = None,
    hidden_dim: Annotated[int | None, typer.Option(help="Size of the hidden state [512].")] = None,
    update_rule: Annotated[
        str | None, typer.Option(help="sgd, sgd_momentum, rmsprop, adam or adamw [adam].")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of the first epoch [0.001].")] = None,
    lr_decay: Annotated[
        float | None, typer.Option(help="Factor on it after every epoch [0.85].")
    ] = None,
    schedule: Annotated[
        str | None, typer.Option(help="epochs (by --lr-decay), constant, cosine or one-cycle.")
    ] = None,
    patience: Annotated[
        int | None, typer.Option(help="Stop after so many epochs without a better CIDEr [never].")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Captions a step [128].")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the captions [10].")] = None,
    teacher: Annotated[
        list[Path] | None,
        typer.Option(help="A run to learn from, beside what people said; repeat for several."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of parameters and order [0].")] = None,
    checkpoint_seconds: Annotated[
        float | None, typer.Option(help="How often the state is saved within an epoch [60].")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run.")] = False,
) -> None:
    """Train a captioner. Stopped or killed at any moment, it goes on with --resume.

    A TOML file for --config can set more: docs/training.md has every setting.
    """
    given = {
        name: value
        for name, value in locals().items()
        if name in TrainConfig.__struct_fields__ and value is not None
    }
    if teacher:
        given["teachers"] = list(map(str, teacher))
    opened = open_dataset(dataset)
    kept = out / "config.toml"
    if resume and not kept.exists():
        raise InputError(f"{out}: no run to resume there; leave --resume out to begin one")
    if resume and config:
        raise InputError(
            "--config and --resume: a run goes on with its own settings; leave one out"
        )
    settings = read_config(kept if resume else config, given)
    if resume and settings != msgspec.structs.replace(read_config(kept), epochs=settings.epochs):
        raise InputError(
            f"{kept}: a run's settings stay as they are; only --epochs may change, or where there "
            "are critical_epochs, these, in that file"
        )
    train_with_progress(opened, out, settings, resume)
    report_run(opened, out)


def demo(
    out: Annotated[Path, typer.Option(help="Folder for all that the demo makes.")] = Path(
        "limner-demo"
    ),
    pictures: Annotated[int, typer.Option(min=100, help="How many to draw.")] = 2000,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the captions.")] = 12,
    seed: Annotated[int, typer.Option(min=0, help="Of the drawings and the training.")] = 0,
) -> None:
    """Draw pictures, train on them, caption unseen ones, and write a page to look at."""
    run_demo(out, pictures, epochs, seed)


def _split_files(given: list[str]) -> dict[str, Path]:
    files = {}
    for text in given:
        name, equals, file = text.partition("=")
        if not equals or not name.isidentifier():
            raise InputError(f"--split {text}: expected NAME=FILE, e.g. train=train.txt")
        files[name] = Path(file)
    return files


def _ratio(text: str) -> dict[str, float]:
    try:
        shares = [float(share) for share in text.split(",")]
        in_range = all(0 <= share < math.inf for share in shares)  # NaN is in no range
        if len(shares) != 3 or not in_range or shares[0] == 0:
            raise ValueError
    except ValueError:
        raise InputError(
            f"--ratio {text}: expected three numbers for train, dev and test, e.g. 80,10,10"
        ) from None
    return dict(zip(("train", "dev", "test"), shares, strict=True))
