"""The inputs of a prepared dataset, and their hashes."""

from typing import Any

import msgspec

from limner.backbones.info import BackboneInfo
from limner.config import sha256_of_json
from limner.data.preparing.check import Findings
from limner.data.preparing.config import CheckConfig
from limner.data.schema import SCHEMA_VERSION
from limner.data.tokens import TokenConfig

KNOWN = {
    *("source", "format", "captions", "images", "max_pixels"),  # part of images and captions
    *("split", "ratio", "seed"),  # part of the splits
    *("backbone", "weights", "size"),  # part of the backbone
    *("features", "dtype", "views", "pca", *TokenConfig.__struct_fields__),
    *("out", "reuse"),  # without influence on the contents
}
"""Options in other parts of `Contents`; all others are in its `options` if set."""


class Contents(msgspec.Struct, frozen=True):
    """All inputs of a dataset; images are identified by name and content.

    Names and values are those of `made_of` in dataset.json since the first version, so that its
    datasets are recognized.
    """

    images: dict[str, list[tuple[str, str]]] = msgspec.field(name="pictures")
    captions: list[list[str]]
    words: dict[str, Any] = msgspec.field(name="words (--min-count, --max-words, --tokens)")
    backbone: BackboneInfo
    features: tuple[str, str, int, int | None] = msgspec.field(
        name="features (--features, --dtype, --views, --pca)"
    )
    schema: int
    options: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET

    def hashes(self) -> dict[str, str]:
        """The hash of each part, by name."""
        return {name: sha256_of_json(part) for name, part in msgspec.to_builtins(self).items()}


def contents_of(config: CheckConfig, findings: Findings, backbone: BackboneInfo) -> Contents:
    """The inputs of a dataset with these options and findings."""
    captions, seen, splits = findings.source.captions, findings.seen, findings.splits
    return Contents(
        images={
            split: [(image, seen[image].sha256 if image in seen else "") for image in images]
            for split, images in splits.items()
        },
        captions=[captions[image] for images in splits.values() for image in images],
        words=config.facts,
        backbone=backbone,
        features=(config.features, config.numbers.name, config.views, config.pca),
        schema=SCHEMA_VERSION,
        options={n: v for n, v in config.set_fields().items() if n not in KNOWN} or msgspec.UNSET,
    )
