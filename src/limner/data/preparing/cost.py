"""What the work will take: bytes on the disk, and seconds, measured on a few of the pictures."""

import math
import time
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from limner.backbones.backbone import Backbone
from limner.backbones.features import extract
from limner.data.preparing.check import Findings
from limner.data.preparing.config import CheckConfig
from limner.data.preparing.look import open_picture
from limner.images.limits import ImageLimits
from limner.io import check_space

TRIED = 8
"""Pictures a core that are timed, after as many that are not."""


@dataclass(frozen=True)
class Cost:
    """What is still to come.

    Attributes:
        bytes: of the features, as they are kept.
        while_working: bytes more, that are given back at the end.
        seconds: of extraction.
    """

    bytes: int
    while_working: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"{_duration(self.seconds)}, {_size(self.bytes)} of features on disk, and "
            f"{_size(self.while_working)} more until it is done"
        )

    def check_room(self, folder: Path) -> None:
        """Raise LimnerError, before an hour of work, where the disk has no room for it."""
        check_space(folder, self.bytes + self.while_working)


def cost_of(
    config: CheckConfig,
    findings: Findings,
    backbone: Backbone,
    rows: int,
    missing: int | None = None,
) -> Cost:
    """What so many rows of features cost, of which some are missing (None: all)."""
    missing = rows if missing is None else missing
    row = config.numbers.itemsize * math.prod(backbone.shape)
    kept = sum(math.prod(s[:-1]) * (config.pca or s[-1]) for s in backbone.shapes.values())
    return Cost(
        rows * config.numbers.itemsize * kept,
        missing * row,
        missing * seconds_a_picture(findings, backbone, config.limits),
    )


def seconds_a_picture(findings: Findings, backbone: Backbone, limits: ImageLimits) -> float:
    """Of opening and extraction, on all cores."""
    pictures = findings.source.pictures
    some = (
        pictures[image]
        for images in findings.splits.values()
        for image in images
        if image in pictures
    )
    tried = list(islice(some, TRIED * backbone.threads))
    load = partial(open_picture, limits=limits)
    for _ in range(2):  # the first run finds its memory
        started = time.perf_counter()
        for _ in extract(backbone, tried, batch_size=TRIED, load=load):
            pass
        seconds = time.perf_counter() - started
    return seconds / max(len(tried), 1)


def _size(count: int) -> str:
    """In the unit that fits.

    >>> _size(800), _size(123_456), _size(12_345_678_900)
    ('1 kB', '123 kB', '12.3 GB')
    """
    if count < 1e6:
        return f"{max(round(count / 1e3), 1)} kB"
    return f"{count / 1e6:,.0f} MB" if count < 1e9 else f"{count / 1e9:,.1f} GB"


def _duration(seconds: float) -> str:
    """In words.

    >>> _duration(0.4), _duration(75), _duration(600), _duration(9000)
    ('about 1 second', 'about 75 seconds', 'about 10 minutes', 'about 2.5 hours')
    """
    if seconds < 120:
        return f"about {max(round(seconds), 1)} second{'s' * (seconds >= 1.5)}"
    if seconds < 7200:
        return f"about {round(seconds / 60)} minutes"
    return f"about {seconds / 3600:.1f} hours"
