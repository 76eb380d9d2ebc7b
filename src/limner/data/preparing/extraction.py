"""Extraction of missing features: each image is opened, hashed and decoded once.

All cores open images. Images that are not in the store by content are batched, in the order of the
source, and each core runs the network on one batch; an interrupted preparation continues with the
same batches.

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
"""Maximum number of views of an image in memory."""

TELL_AFTER = 10
"""Seconds of work before the remaining time is reported."""


class Wanted(NamedTuple):
    """An image, and its number of views; 1 is only the image."""

    image_file: ImageFile
    views: int = 1


Input = tuple[Key, Float[Array, "3 S S"]]
"""Key and preprocessed input of a view."""


class Extraction:
    """Extends a store by the features of images.

    Args:
        backbone: computes the features.
        store: receives the features.
        report: called with messages: work done before, remaining time.
        progress: called with the number of views done, and of all.
        limits: limits on the images.
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
        """Open images, {id: image}, compute missing rows, and return the result of each image."""
        total = sum(one.views for one in wanted.values())
        seen: dict[str, Seen] = {}
        asked: set[Key] = set()
        opened = done = 0  # views of opened images; views after the network
        skipped = 0  # views before the first one for the network
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
        """The scan result of an image, and its views that are missing in the store."""
        try:
            with open_image_file(image_file) as file:
                sha256 = sha256_of_open(file)
                keys = {key_of(sha256, view, image_file.name): view for view in views}
                missing = {key: view for key, view in keys.items() if key not in self._store}
                if not missing and self._limits == USUAL_LIMITS:  # limits may be new
                    return Seen(sha256), []
                # Twice the size, so that fast JPEG decoding does not change the resized image.
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
    """A duration as text.

    >>> _duration(0.4), _duration(75), _duration(600), _duration(9000)
    ('about 1 second', 'about 75 seconds', 'about 10 minutes', 'about 2.5 hours')
    """
    if seconds < 120:
        return f"about {max(round(seconds), 1)} second{'s' * (seconds >= 1.5)}"
    if seconds < 7200:
        return f"about {round(seconds / 60)} minutes"
    return f"about {seconds / 3600:.1f} hours"
