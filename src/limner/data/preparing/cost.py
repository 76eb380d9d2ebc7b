"""Estimate of the required disk space."""

import math
from dataclasses import dataclass
from pathlib import Path

from limner.backbones.backbone import Backbone
from limner.data.preparing.config import CheckConfig
from limner.io import check_space


@dataclass(frozen=True)
class Cost:
    """The disk space that is still required.

    Attributes:
        bytes: of the features.
        while_working: additional bytes, freed at the end.
    """

    bytes: int
    while_working: int

    def __str__(self) -> str:
        return (
            f"{_size(self.bytes)} of features on disk, and {_size(self.while_working)} more until "
            "it is done"
        )

    def check_room(self, folder: Path) -> None:
        """Raise LimnerError if the disk has too little free space."""
        check_space(folder, self.bytes + self.while_working)


def cost_of(config: CheckConfig, backbone: Backbone, rows: int, known: int = 0) -> Cost:
    """The cost of the feature rows that are not known yet."""
    kept = sum(math.prod(s[:-1]) * (config.pca or s[-1]) for s in backbone.shapes.values())
    size = config.numbers.itemsize
    return Cost(rows * size * kept, max(rows - known, 0) * size * math.prod(backbone.shape))


def _size(count: int) -> str:
    """A size with a suitable unit.

    >>> _size(800), _size(123_456), _size(12_345_678_900)
    ('1 kB', '123 kB', '12.3 GB')
    """
    if count < 1e6:
        return f"{max(round(count / 1e3), 1)} kB"
    return f"{count / 1e6:,.0f} MB" if count < 1e9 else f"{count / 1e9:,.1f} GB"
