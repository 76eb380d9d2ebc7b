"""The commands that use what is there: caption, info."""

import json
from pathlib import Path
from typing import Annotated

import typer

from limner.captioner import Captioner
from limner.describe import describe
from limner.errors import InputError
from limner.pictures import find_pictures
from limner.terminal import say


def caption(
    pictures: Annotated[list[str], typer.Argument(help="Files, folders or http(s) addresses.")],
    model: Annotated[
        Path | None, typer.Option(help="A run or checkpoint; otherwise the one that ships.")
    ] = None,
    backbone: Annotated[
        Path | None, typer.Option(help="The .onnx network that the model was trained with.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line: image, caption, score.")
    ] = False,
) -> None:
    """Describe pictures, a sentence each."""
    captioner = Captioner.load(model, backbone)
    found, failed = find_pictures(pictures)
    several = len(found) + len(failed) > 1
    names, sources = [name for name, _ in found], [source for _, source in found]
    for name, (_, result) in zip(names, captioner.caption(sources), strict=True):
        if isinstance(result, InputError):
            failed.append(str(result))
        elif as_json:
            row = {"image": name, "caption": result.text, "score": round(result.score, 4)}
            print(json.dumps(row, ensure_ascii=False), flush=True)
        else:
            print(f"{name}\t{result.text}" if several else result.text, flush=True)
    for message in failed:
        say(f"limner: {message}")
    if failed:
        raise typer.Exit(InputError.exit_status)


def info(
    path: Annotated[
        Path | None, typer.Argument(help="A dataset, a run or a checkpoint; otherwise limner.")
    ] = None,
) -> None:
    """Say what a dataset, run or checkpoint is, or what is installed here."""
    for name, value in describe(path).items():
        print(f"{name}: {value}")
