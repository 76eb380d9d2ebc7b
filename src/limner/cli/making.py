"""The commands that make models: train, demo."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from limner.data.opening import open_dataset
from limner.demo import run_demo
from limner.errors import InputError
from limner.stages import report_run, train_with_progress
from limner.training.config import TrainConfig, read_config


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
    if opened.references:
        report_run(opened, out)
    else:
        print(f"run: {out}")


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
