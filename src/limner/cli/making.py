"""The command that makes models: train."""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer

from limner.cli.options import Given, struct_options
from limner.cli.stages import report_run, train_with_progress
from limner.data.opening import open_dataset
from limner.errors import InputError
from limner.models import MODELS
from limner.training.config import TrainConfig, read_config

Kind: Any = Annotated[
    Literal[tuple(model.kind for model in MODELS)],
    msgspec.Meta(description="Kind of model; attention needs a dataset with a grid [rnn]."),
]
SETTINGS = Given(*(model.config_type for model in MODELS), TrainConfig, model=Kind)


@struct_options
def train(
    dataset: Annotated[Path, typer.Argument(help="Dataset, a folder of `limner prepare`.")],
    out: Annotated[Path, typer.Option(help="Folder of the run, created if missing.")],
    config: Annotated[
        Path | None, typer.Option(help="TOML file of settings; options override it.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the run in --out.")] = False,
    *,
    given: Annotated[dict[str, Any], SETTINGS],
) -> None:
    """Train a captioner. Stopped or killed at any moment, it goes on with --resume.

    docs/training.md explains the settings; a TOML file for --config names them as the options do,
    with _ in the place of -, and `teachers` for --teacher.
    """
    kept = out / "config.toml"
    if resume and not kept.exists():
        raise InputError(f"{out}: no run to resume there; leave --resume out to begin one")
    if resume and config:
        raise InputError(
            "--config and --resume: a run goes on with its own settings; leave one out"
        )
    settings = _read(kept if resume else config, given)
    if resume and settings != msgspec.structs.replace(read_config(kept), epochs=settings.epochs):
        raise InputError(
            f"{kept}: a run's settings stay as they are; only --epochs may change, or where there "
            "are critical_epochs, these, in that file"
        )
    opened = open_dataset(dataset)
    train_with_progress(opened, out, settings, resume)
    if opened.references:
        report_run(opened, out)
    else:
        print(f"run: {out}")


def _read(path: Path | None, given: dict[str, Any]) -> TrainConfig:
    """Settings of a file and of options; errors speak of options where there is no file."""
    try:
        return read_config(path, given)
    except InputError as error:
        raise error if path else InputError(SETTINGS.in_options(str(error))) from None
