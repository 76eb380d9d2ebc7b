"""The commands caption and info."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from limner.captioner import Caption, Captioner
from limner.cli.console import print_facts, warn
from limner.cli.describe import describe
from limner.cli.inputs import find_images
from limner.cli.options import struct_options
from limner.decoding import DecodingConfig
from limner.errors import InputError
from limner.evaluation.attention_map import SIZE, attention_map
from limner.evaluation.explanation import Choice
from limner.evaluation.explanation import explain as explain_caption
from limner.images.images import Source, source_name
from limner.images.limits import ImageLimits
from limner.images.sources import open_source
from limner.io import atomic_path

LONGEST_STEM = 220
"""Maximum bytes of the image name in a map's file name; file systems allow 255."""


@struct_options
def caption(
    images: Annotated[
        list[str],
        typer.Argument(
            help="Files, folders, patterns like 'photos/*.jpg', - for standard input, or "
            "http(s) addresses."
        ),
    ],
    model: Annotated[
        list[Path] | None,
        typer.Option(
            help="Run or checkpoint, instead of the bundled model; repeat for an ensemble."
        ),
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Backbone of the model's features: FILE.onnx, vgg16-fc7, torchvision:NAME or "
            "timm:NAME.",
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Weights of a PyTorch backbone; 'download' fetches the library's own.",
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Print each word's probability and its alternatives.")
    ] = False,
    attention: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Draw the attention weights of each word into this folder."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per line: image, caption, score.")
    ] = False,
    *,
    how: DecodingConfig,
    limits: ImageLimits,
) -> None:
    """Caption images."""
    captioner = Captioner.load(*model or (), backbone=backbone, weights=weights)
    if attention:
        _check_maps(attention, captioner)
    found, failed = find_images(images, limits)
    several = len(found) + len(failed) > 1
    names, sources = [name for name, _ in found], [source for _, source in found]
    drawn: set[str] = set()
    captioned = captioner.caption_all(sources, how, limits=limits, on_error="return")
    for name, (source, result) in zip(names, captioned, strict=True):
        if isinstance(result, InputError):
            failed.append(str(result))
            continue
        for one in (result, *result.alternatives):
            choices = None
            if explain:
                choices = explain_caption(captioner.model, one.features, one.text, one.ended)
            if as_json:
                print(json.dumps(_facts(name, one, choices), ensure_ascii=False), flush=True)
            else:
                print(f"{source_name(name)}\t{one.text}" if several else one.text, flush=True)
                if choices:
                    _print_choices(choices)
        if attention:
            best = explain_caption(captioner.model, result.features, result.text)
            _draw(attention, name, source, best, drawn, limits)
    warn(failed)
    if failed:
        raise typer.Exit(InputError.exit_status)


def _check_maps(folder: Path, captioner: Captioner) -> None:
    """Raise InputError if the folder or the model does not allow attention maps."""
    if not captioner.model.reads_grid:
        raise InputError(
            "--attention: this model has no attention weights; use a model trained with "
            "--model attention"
        )
    for path in (folder, *folder.parents):
        if path.exists() and not path.is_dir():
            raise InputError(f"--attention {path}: a file; give a folder")


def _facts(name: str, one: Caption, choices: list[Choice] | None) -> dict[str, Any]:
    facts: dict[str, Any] = {"image": name, "caption": one.text, "score": round(one.score, 4)}
    if choices is not None:
        facts["words"] = [
            {
                "word": choice.word,
                "probability": round(choice.probability, 4),
                "others": {word: round(share, 4) for word, share in choice.others},
            }
            for choice in choices
        ]
    return facts


def _print_choices(choices: list[Choice]) -> None:
    width = max(len(choice.word) for choice in choices)
    for choice in choices:
        others = ", ".join(f"{word} {share:.0%}" for word, share in choice.others)
        print(f"  {choice.word:<{width}} {choice.probability:4.0%}   {others}", flush=True)


def _draw(
    folder: Path,
    name: str,
    source: Source,
    choices: list[Choice],
    drawn: set[str],
    limits: ImageLimits,
) -> None:
    """Write NAME-attention.png, numbered where the name is taken."""
    stem = os.fsdecode(os.fsencode(Path(name).stem)[:LONGEST_STEM]) or "image"
    file, number = f"{stem}-attention.png", 2
    while file in drawn:
        file, number = f"{stem}-attention-{number}.png", number + 1
    drawn.add(file)
    image = open_source(source, size_hint=2 * SIZE, limits=limits)
    with atomic_path(folder / file) as temporary:
        attention_map(image, choices).save(temporary, "PNG")


@struct_options
def info(
    path: Annotated[
        Path | None, typer.Argument(help="Dataset, run or checkpoint; default: the installation.")
    ] = None,
) -> None:
    """Describe a dataset, run or checkpoint, or the installation."""
    print_facts(describe(path))
