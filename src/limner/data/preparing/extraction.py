"""Features of the images that a store lacks: each image is opened, hashed and decoded once.

All cores open images. Those that the store does not know by content are put into batches, in the
order of the source, and every core runs the network on a batch: a preparation that was stopped goes
on with the same batches.

    S: side of the network's input in pixels    D: length of a feature vector
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from limner.backbones.backbone import Backbone, cores
from limner.backbones.features import BATCH, ahead, batches
from limner.data.feature_store import FeatureStore, Key, key_of
from limner.data.formats import ImageFile
from limner.data.preparing.scan import Seen, open_image_file, sha256_of_open
from limner.errors import InputError
from limner.images.images import load_image
from limner.images.limits import USUAL_LIMITS, ImageLimits
from limner.images.views import view_of
from limner.typing import Array, Float

VIEWS_AT_ONCE = 8
"""Views that are made of an image while it is open: each is as large as the network's input."""

TELL_AFTER = 10
"""Seconds of work before the remaining time is reported."""


class Wanted(NamedTuple):
    """An image, and how many of its views are wanted: 1 is the image alone."""

    image_file: ImageFile
    views: int = 1


Input = tuple[Key, Float[Array, "3 S S"]]
"""A view of an image as the network takes it."""


class Extraction:
    """Extends a store by the features of images.

    Args:
        backbone: what the features come from.
        store: what it makes is appended to it.
        report: takes a line for the user: how much of the work was done before, how long the rest
            takes.
        progress: takes how many views are done, and of how many.
        limits: images beyond them cannot be read.
    """

    def __init__(
        self,
        backbone: Backbone,
        store: FeatureStore,
        report: Callable[[str], None],
        progress: Callable[[int, int], None],
        limits: ImageLimits = USUAL_LIMITS,
    ) -> None:
        self._backbone = backbone
        self._store = store
        self._report = report
        self._progress = progress
        self._limits = limits

    def run(self, wanted: Mapping[str, Wanted]) -> dict[str, Seen]:
        """Open images, {id: image}, and make the rows that the store lacks; say what they hold."""
        total = sum(one.views for one in wanted.values())
        seen: dict[str, Seen] = {}
        asked: set[Key] = set()
        opened = done = 0  # views of images that were opened; those that the network has seen
        skipped = 0  # views that came before the first for the network
        started, is_told = time.monotonic(), False

        def missing() -> Iterator[Input]:
            nonlocal opened, skipped
            tasks = (
                (image, range(start, min(start + VIEWS_AT_ONCE, one.views)))
                for image, one in wanted.items()
                for start in range(0, one.views, VIEWS_AT_ONCE)
            )
            for (image, views), found, inputs in ahead(
                lambda task: (task, *self._open(wanted[task[0]].image_file, task[1])),
                tasks,
                cores(),
            ):
                if seen.setdefault(image, found) != found:
                    image_file = wanted[image].image_file
                    seen[image] = Seen(
                        "", f"{image_file}: changes while it is read; run this again"
                    )
                skipped = skipped if asked else opened
                opened += len(views)
                for key, pixels in inputs:
                    if key not in asked:
                        asked.add(key)
                        yield key, pixels
                if not inputs:
                    self._progress(opened - len(asked) + done, total)

        for keys, rows in ahead(self._run, batches(missing(), BATCH), self._backbone.threads):
            self._store.append(keys, rows)
            done += len(keys)
            self._progress(opened - len(asked) + done, total)
            seconds = time.monotonic() - started
            if not is_told and seconds > TELL_AFTER:
                is_told = True
                share = len(asked) / (opened - skipped)
                left = seconds / done * ((total - opened) * share + len(asked) - done)
                self._report(f"extracting features: {_duration(left)} left")
        return seen

    def _open(self, image_file: ImageFile, views: Sequence[int]) -> tuple[Seen, list[Input]]:
        """What an image holds, and those of its views that the store lacks."""
        try:
            with open_image_file(image_file) as file:
                sha256 = sha256_of_open(file)
                keys = {key_of(sha256, view, image_file.name): view for view in views}
                missing = {key: view for key, view in keys.items() if key not in self._store}
                if not missing and self._limits == USUAL_LIMITS:  # which it was within before
                    return Seen(sha256), []
                # Twice the size: what a JPEG's fast decoding loses is then lost in the resizing.
                size = 2 * self._backbone.preprocessing.size if missing else 1
                image = load_image(file, size_hint=size, limits=self._limits)
        except InputError as error:
            return Seen("", str(error)), []
        return Seen(sha256), [
            (key, self._backbone.preprocess(view_of(image, view, image_file.name)))
            for key, view in missing.items()
        ]

    def _run(self, batch: Sequence[Input]) -> tuple[list[Key], Float[Array, "N *_ D"]]:
        keys, pixels = zip(*batch, strict=True)
        return list(keys), self._backbone.features(np.stack(pixels))


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
