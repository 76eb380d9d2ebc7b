"""What a prepared dataset depends on, and the hashes that tell two of them apart."""

from typing import Any

import msgspec

from limner.backbones.info import BackboneInfo
from limner.config import sha256_of_json
from limner.data.preparing.check import Findings
from limner.data.preparing.config import CheckConfig
from limner.data.schema import SCHEMA_VERSION
from limner.data.tokens import TokenConfig

KNOWN = {
    *("source", "format", "captions", "images", "max_pixels"),  # seen in images and captions
    *("split", "ratio", "seed"),  # in the splits
    *("backbone", "weights", "size"),  # in the backbone's hash and preprocessing
    *("features", "dtype", "views", "pca", *TokenConfig.__struct_fields__),
    *("out", "reuse"),  # change nothing
}
"""Options that the parts of `Contents` speak of; any other is one of its `options` where set."""


class Contents(msgspec.Struct, frozen=True):
    """All that a dataset depends on; images count by what they hold, not by their names alone.

    The parts have the names and the form that `made_of` has had in dataset.json since the first
    version, so that its datasets are known again.
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
        """A hash of each part, by its name."""
        return {name: sha256_of_json(part) for name, part in msgspec.to_builtins(self).items()}


def contents_of(config: CheckConfig, findings: Findings, backbone: BackboneInfo) -> Contents:
    """What a dataset made so would depend on."""
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
