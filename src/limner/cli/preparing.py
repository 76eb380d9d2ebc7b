"""The commands for what people have: prepare, check."""

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from limner.data.preparing.config import CheckConfig, PrepareConfig
from limner.data.preparing.feature_rows import FromPictures
from limner.data.preparing.prepare import (
    backbone_of,
    check_training,
    feature_rows,
    look_before,
)
from limner.data.preparing.prepare import prepare as prepare_dataset
from limner.data.sources import FORMATS
from limner.errors import InputError
from limner.report.check import write_check
from limner.report.frame import refuse_other_files
from limner.terminal import print_counts, say, staged_bar, tell

Format = StrEnum("Format", {name: name for name in FORMATS})  # type: ignore[misc]


class Features(StrEnum):
    """What is kept of a picture."""

    pooled = "pooled"
    grid = "grid"
    both = "both"


class Numbers(StrEnum):
    """The type of features on disk."""

    float16 = "float16"
    float32 = "float32"


class Tokens(StrEnum):
    """What captions are made of."""

    word = "word"
    char = "char"


SourceArgument = Annotated[
    Path, typer.Argument(help="A folder of pictures and captions, or a file of one of the formats.")
]
FormatOption = Annotated[
    Format | None, typer.Option(help="What the source is, where limner would take it for another.")
]
CaptionsOption = Annotated[
    Path | None, typer.Option(help="The captions, where they are not in the source.")
]
ImagesOption = Annotated[
    Path | None, typer.Option(help="The folder of pictures, where it is not in the source.")
]
SplitOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=FILE",
        help="A split from a file of image names, e.g. train=train.txt; repeat for dev, test.",
    ),
]
RatioOption = Annotated[
    str, typer.Option(metavar="TRAIN,DEV,TEST", help="Shares of the splits, where none are named.")
]
SeedOption = Annotated[int, typer.Option(min=0, help="Of the split by --ratio.")]
BackboneOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Another network: FILE.onnx with its .toml beside it, vgg16-fc7, torchvision:NAME or "
        "timm:NAME.",
    ),
]
WeightsOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="Of a --backbone of PyTorch; 'download' fetches the library's own."
    ),
]
FeaturesOption = Annotated[
    Features,
    typer.Option(help="pooled: a vector a picture; grid: of every place, for attention; both."),
]
NumbersOption = Annotated[
    Numbers | None, typer.Option(help="Of the features on disk [float32; with a grid float16].")
]
MinCountOption = Annotated[
    int, typer.Option(min=1, help="Words that stand less often become <UNK>.")
]
MaxWordsOption = Annotated[int, typer.Option(min=1, help="Longer captions are cut.")]
TokensOption = Annotated[
    Tokens, typer.Option(help="What a caption is a sequence of: words, or characters.")
]
PcaOption = Annotated[
    int | None, typer.Option(min=1, help="Keep so many principal components of the features.")
]
SizeOption = Annotated[
    int | None,
    typer.Option(min=32, help="Side of the backbone's input in pixels [224]; 288 sees more."),
]
ViewsOption = Annotated[
    int,
    typer.Option(
        min=0,
        help="Altered views of every picture to train on, too: the mirror image, then crops.",
    ),
]


PixelsOption = Annotated[
    int | None, typer.Option(min=1, help="Leave larger pictures out; otherwise what fits 500 MB.")
]


def prepare(
    source: SourceArgument,
    out: Annotated[Path, typer.Option(help="Folder of the dataset, made if missing.")],
    format: FormatOption = None,
    captions: CaptionsOption = None,
    images: ImagesOption = None,
    split: SplitOption = None,
    ratio: RatioOption = "80,10,10",
    seed: SeedOption = 0,
    min_count: MinCountOption = 5,
    max_words: MaxWordsOption = 20,
    tokens: TokensOption = Tokens.word,
    backbone: BackboneOption = None,
    weights: WeightsOption = None,
    features: FeaturesOption = Features.pooled,
    dtype: NumbersOption = None,
    pca: PcaOption = None,
    size: SizeOption = None,
    views: ViewsOption = 0,
    max_pixels: PixelsOption = None,
) -> None:
    """Make a dataset from pictures and captions. Stopped half-way, run it again: it goes on."""
    config = _config(
        PrepareConfig,
        source=source,
        out=out,
        format=format.value if format else None,
        captions=captions,
        images=images,
        split=_split_files(split or []),
        ratio=_ratio(ratio),
        seed=seed,
        min_count=min_count,
        max_words=max_words,
        tokens=tokens.value,
        backbone=backbone,
        weights=weights,
        features=features.value,
        size=size,
        views=views,
        dtype=dtype.value if dtype else None,
        pca=pca,
        max_pixels=max_pixels,
    )
    with staged_bar("pictures") as update:
        dataset = prepare_dataset(config, say, update)
    print_counts(dataset)


def check(
    source: SourceArgument,
    format: FormatOption = None,
    captions: CaptionsOption = None,
    images: ImagesOption = None,
    split: SplitOption = None,
    ratio: RatioOption = "80,10,10",
    seed: SeedOption = 0,
    min_count: MinCountOption = 5,
    max_words: MaxWordsOption = 20,
    tokens: TokensOption = Tokens.word,
    backbone: BackboneOption = None,
    weights: WeightsOption = None,
    features: FeaturesOption = Features.pooled,
    dtype: NumbersOption = None,
    pca: PcaOption = None,
    size: SizeOption = None,
    views: ViewsOption = 0,
    max_pixels: PixelsOption = None,
    html: Annotated[
        Path | None, typer.Option(help="Write a page of all findings, with pictures.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="All findings as JSON, every name in it.")
    ] = False,
) -> None:
    """Say what is wrong with pictures and captions, and what preparing them would take.

    The exit status is 2 where nothing to train on is left.
    """
    config = _config(
        CheckConfig,
        source=source,
        format=format.value if format else None,
        captions=captions,
        images=images,
        split=_split_files(split or []),
        ratio=_ratio(ratio),
        seed=seed,
        min_count=min_count,
        max_words=max_words,
        tokens=tokens.value,
        backbone=backbone,
        weights=weights,
        features=features.value,
        size=size,
        views=views,
        dtype=dtype.value if dtype else None,
        pca=pca,
        max_pixels=max_pixels,
    )
    if html:
        refuse_other_files(html)
    with staged_bar("pictures") as update:
        findings = look_before(config, _quiet if as_json else tell, update)
    cost = None
    if "train" in findings.splits:
        rows = feature_rows(config, findings, backbone_of(config, findings.source))
        cost = rows.cost() if isinstance(rows, FromPictures) else None
    if as_json:
        facts = {**findings.to_json(), "cost": asdict(cost) if cost else None}
        print(json.dumps(facts, ensure_ascii=False, indent=2))
    elif cost:
        print(f"preparing takes {cost}")
    if html:
        write_check(html, findings, cost)
        if not as_json:
            print(f"page: {html}")
    check_training(findings)
    config.vocabulary(findings.references)


Asked = TypeVar("Asked", bound=CheckConfig)


def _config(kind: type[Asked], **options: Any) -> Asked:
    try:
        return kind(**options)
    except ValueError as error:
        raise InputError(f"{error}; see `limner prepare --help`") from None


def _quiet(line: str) -> None:
    """What stands in the JSON need not be said."""


def _split_files(given: list[str]) -> dict[str, Path]:
    files = {}
    for text in given:
        name, equals, file = text.partition("=")
        if not equals or not name.isidentifier():
            raise InputError(f"--split {text}: expected NAME=FILE, e.g. train=train.txt")
        files[name] = Path(file)
    return files


def _ratio(text: str) -> tuple[float, ...]:
    try:
        return tuple(map(float, text.split(",")))
    except ValueError:
        raise InputError(
            f"--ratio {text}: expected three numbers for train, dev and test, e.g. 80,10,10"
        ) from None
