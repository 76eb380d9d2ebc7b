"""The command train."""

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
    msgspec.Meta(description="Kind of model; attention needs region features [rnn]."),
]
SETTINGS = Given(*(model.config_type for model in MODELS), TrainConfig, model=Kind)


@struct_options
def train(
    dataset: Annotated[Path, typer.Argument(help="Folder written by `limner prepare`.")],
    out: Annotated[Path, typer.Option(help="Folder of the run, created if missing.")],
    config: Annotated[
        Path | None, typer.Option(help="TOML file of settings; options override it.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the run in --out.")] = False,
    *,
    given: Annotated[dict[str, Any], SETTINGS],
) -> None:
    """Train a captioner. An interrupted training continues with --resume.

    docs/training.md explains the settings; keys of the TOML file for --config are the option names
    with _ instead of -, and `teachers` for --teacher.
    """
    kept = out / "config.toml"
    if resume and not kept.exists():
        raise InputError(f"{out}: no run to resume; omit --resume to start one")
    if resume and config:
        raise InputError("--config and --resume: a resumed run keeps its settings; omit one")
    path = kept if resume else config
    settings = read_config(path, given)
    if resume and settings != msgspec.structs.replace(read_config(kept), epochs=settings.epochs):
        raise InputError(
            f"{kept}: the settings of a run cannot change; only --epochs may be increased, or, if "
            "it has critical_epochs, these in that file"
        )
    opened = open_dataset(dataset)
    train_with_progress(opened, out, settings, resume)
    if opened.references:
        report_run(opened, out)
    else:
        print(f"run: {out}")
