"""Features of many images, in order, with one batch per core.

S: side of the network's input in pixels    D: length of a feature vector
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import numpy as np
from PIL import Image

from limner.backbones.backbone import Backbone
from limner.errors import InputError
from limner.images.images import load_image
from limner.typing import Array, Float

Given = TypeVar("Given")

BATCH = 16
"""Images in one run of the network."""


Found = Float[Array, "*_ D"] | InputError


def extract(
    backbone: Backbone,
    sources: Iterable[Given],
    *,
    batch_size: int = BATCH,
    load: Callable[..., Image.Image] = load_image,
) -> Iterator[tuple[Given, Found]]:
    """Yield each source with its features or its error, in order.

    Each core opens a batch of images and runs the network on it. The number of batches in memory is
    that of the cores plus one.

    Args:
        backbone: the network.
        sources: whatever `load` takes.
        batch_size: images in one run of the network.
        load: opens an image, given `size_hint`, as `load_image` does.

    Yields:
        Each source with its features, (D,) or (L, D), or an InputError.

    Example:
        >>> from limner.backbones.open_backbone import open_backbone
        >>> [(name, found)] = extract(open_backbone(), ["absent.jpg"])
        >>> print(found)
        absent.jpg: no such file; check the name and the folder
    """

    def open_one(source: Given) -> Float[Array, "3 S S"] | InputError:
        try:
            # Twice the size, so that fast JPEG decoding does not change the resized image.
            return backbone.preprocess(load(source, size_hint=2 * backbone.preprocessing.size))
        except InputError as error:
            return error

    def work(batch: list[Given]) -> list[tuple[Given, Found]]:
        opened = [open_one(source) for source in batch]
        pixels = [one for one in opened if not isinstance(one, InputError)]
        rows = iter(backbone.features(np.stack(pixels)) if pixels else ())
        return [
            (source, one if isinstance(one, InputError) else next(rows))
            for source, one in zip(batch, opened, strict=True)
        ]

    for found in ahead(work, batches(sources, batch_size), backbone.threads):
        yield from found


def batches(sources: Iterable[Given], size: int) -> Iterator[list[Given]]:
    """Yield lists of `size` items; the last one may be shorter."""
    rest = iter(sources)
    while batch := list(islice(rest, size)):
        yield batch


Task = TypeVar("Task")
Result = TypeVar("Result")


def ahead(work: Callable[[Task], Result], tasks: Iterable[Task], threads: int) -> Iterator[Result]:
    """Yield work(task) in order, computed in threads, one task ahead."""
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for task in tasks:
            waiting.append(pool.submit(work, task))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
