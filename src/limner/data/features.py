"""Features of many pictures: opened in threads, in order, ahead of the backbone.

S: side of the network's input in pixels    D: length of a feature vector
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from limner.arrays import Array, Float
from limner.data.backbone import Backbone
from limner.data.images import Source, load_image, source_name
from limner.data.views import view_of
from limner.errors import InputError

AnySource = TypeVar("AnySource", bound=Source)


def extract(
    backbone: Backbone,
    sources: Iterable[AnySource],
    *,
    batch_size: int = 16,
    view: int = 0,
) -> Iterator[tuple[AnySource, Float[Array, "*_ D"] | InputError]]:
    """Yield each source with its features, in order, or with what is wrong with that picture.

    A few threads open pictures ahead of the network, never more than two batches ahead, so that
    memory stays flat for any number of sources.

    Args:
        backbone: the network.
        sources: paths, bytes or open files; read as far ahead as pictures are.
        batch_size: pictures in one run of the network.
        view: of every picture, see `limner.data.views`.

    Example:
        >>> from limner.data.open_backbone import open_backbone
        >>> [(name, found)] = extract(open_backbone(), ["absent.jpg"])
        >>> print(found)
        absent.jpg: no such file; check the name and the folder
    """

    def open_one(source: AnySource) -> Float[Array, "3 S S"] | InputError:
        try:
            # Twice the size: what a JPEG's fast decoding loses is then lost in the resizing.
            image = load_image(source, size_hint=2 * backbone.preprocessing.size)
            name = source.name if isinstance(source, Path) else source_name(source)
            return backbone.preprocess(view_of(image, view, name))
        except InputError as error:
            return error

    opened = _ahead(open_one, sources, ahead=2 * batch_size)
    while batch := list(islice(opened, batch_size)):
        pixels = [found for _, found in batch if not isinstance(found, InputError)]
        rows = iter(backbone.features(np.stack(pixels)) if pixels else ())
        for source, found in batch:
            yield source, found if isinstance(found, InputError) else next(rows)


Result = TypeVar("Result")


def _ahead(
    work: Callable[[AnySource], Result], sources: Iterable[AnySource], *, ahead: int
) -> Iterator[tuple[AnySource, Result]]:
    """Yield (source, work(source)) in order, with ``ahead`` more under way in threads."""
    waiting: deque[tuple[AnySource, Future[Result]]] = deque()
    pool = ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1))
    try:
        for source in sources:
            waiting.append((source, pool.submit(work, source)))
            if len(waiting) > ahead:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(cancel_futures=True)
