"""What the work will take: bytes on the disk."""

import math
from dataclasses import dataclass
from pathlib import Path

from limner.backbones.backbone import Backbone
from limner.data.preparing.config import CheckConfig
from limner.io import check_space


@dataclass(frozen=True)
class Cost:
    """What is still to come.

    Attributes:
        bytes: of the features, as they are kept.
        while_working: bytes more, that are given back at the end.
    """

    bytes: int
    while_working: int

    def __str__(self) -> str:
        return (
            f"{_size(self.bytes)} of features on disk, and {_size(self.while_working)} more until "
            "it is done"
        )

    def check_room(self, folder: Path) -> None:
        """Raise LimnerError, before an hour of work, where the disk has no room for it."""
        check_space(folder, self.bytes + self.while_working)


def cost_of(config: CheckConfig, backbone: Backbone, rows: int, known: int = 0) -> Cost:
    """Cost of computing feature rows, given those already known."""
    kept = sum(math.prod(s[:-1]) * (config.pca or s[-1]) for s in backbone.shapes.values())
    size = config.numbers.itemsize
    return Cost(rows * size * kept, max(rows - known, 0) * size * math.prod(backbone.shape))


def _size(count: int) -> str:
    """In the unit that fits.

    >>> _size(800), _size(123_456), _size(12_345_678_900)
    ('1 kB', '123 kB', '12.3 GB')
    """
    if count < 1e6:
        return f"{max(round(count / 1e3), 1)} kB"
    return f"{count / 1e6:,.0f} MB" if count < 1e9 else f"{count / 1e9:,.1f} GB"
