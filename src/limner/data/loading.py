"""Minibatches of a split, in an order that depends only on the seed and the epoch.

Worker processes can open the dataset and read the features, so that a slow disk does not delay the
training process.

    B: captions per batch    T: tokens    D: length of a feature vector
"""

import math
import multiprocessing
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from limner.data.opening import open_dataset
from limner.errors import InputError, LimnerError
from limner.typing import Array, Float, Int

Minibatch = tuple[Int[Array, "B T"], Float[Array, "B *_ D"]]


class Minibatches:
    """Captions and features of a split, reshuffled in every epoch.

    Iteration gives the batches (captions, features) of the current epoch; the last one may be
    smaller. Views of images are sampled with the same seed. It can be pickled: another process
    opens the dataset itself.

    Args:
        dataset: its folder.
        split: name of the split.
        batch_size: B.
        seed: for the order and the views.
        workers: number of processes that prepare batches, spawned, so that a script needs
            `if __name__ == "__main__":`; 0 for none. The batches are the same.
        grid: use region features, if the dataset has both kinds.

    Attributes:
        epoch: the current epoch; set it before each iteration.

    Raises:
        InputError: if the dataset cannot be opened, or has no such split or features.
        LimnerError: during iteration, if a worker has ended.

    Example:
        >>> batches = Minibatches("dataset", batch_size=50, seed=1)  # doctest: +SKIP
        >>> for batches.epoch in range(10):  # doctest: +SKIP
        ...     for captions, features in batches:
        ...         engine.step(Batch(features, captions), learning_rate=1e-3)
    """

    def __init__(
        self,
        dataset: Path | str,
        split: str = "train",
        batch_size: int = 128,
        *,
        seed: int = 0,
        workers: int = 0,
        grid: bool = False,
    ) -> None:
        if batch_size < 1 or workers < 0 or seed < 0:
            raise ValueError(
                f"batch_size {batch_size}, workers {workers}, seed {seed}: expected a batch of at "
                "least 1, and no negative numbers"
            )
        self.epoch = 0
        self._again = partial(Minibatches, dataset, split, batch_size, seed=seed, grid=grid)
        self._batch_size = batch_size
        self._seed = seed
        self._workers = workers
        data = open_dataset(dataset).reading(grid)
        if grid and not data.has_grid:
            raise InputError(
                f"{dataset}: has no region features; prepare it with `features` grid or both"
            )
        _, self._split = data.split(split)
        self._order: tuple[int, Int[Array, " M"]] = (-1, np.arange(0))
        self._running: list[_Worker] = []

    def __reduce__(self) -> tuple[Any, ...]:
        return self._again, ()

    def __len__(self) -> int:
        return math.ceil(len(self._split.captions) / self._batch_size)

    def __iter__(self) -> Iterator[Minibatch]:
        epoch = self.epoch
        if not self._workers:
            yield from (self.batch(epoch, number) for number in range(len(self)))
            return
        workers = self._running or [_Worker(self) for _ in range(self._workers)]
        self._running = []  # workers end with an unfinished epoch
        ahead = 2 * len(workers)
        for number in range(len(self) + ahead):
            if number < len(self):
                workers[number % len(workers)].ask(epoch, number)
            if number >= ahead:
                yield workers[(number - ahead) % len(workers)].answer()
        self._running = workers

    def batch(self, epoch: int, number: int) -> Minibatch:
        """A single batch.

        Args:
            epoch: number of the epoch.
            number: of the batch in the epoch.
        """
        if self._order[0] != epoch:
            rng = np.random.default_rng([self._seed, epoch])
            self._order = epoch, rng.permutation(len(self._split.captions))
        rows = self._order[1][number * self._batch_size : (number + 1) * self._batch_size]
        rng = np.random.default_rng([self._seed, epoch, number])
        images = self._split.image_idxs[rows]
        return self._split.captions[rows], self._split.features_of(images, rng)


class _Worker:
    """A process that prepares batches, with its own pipe.

    With a shared queue, the reader would wait forever if a worker is killed while writing.
    """

    def __init__(self, batches: Minibatches) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        context.Process(target=_gather, args=(batches, theirs), daemon=True).start()
        theirs.close()

    def ask(self, epoch: int, number: int) -> None:
        with suppress(OSError):  # `answer` raises
            self._pipe.send((epoch, number))

    def answer(self) -> Minibatch:
        try:
            found: Minibatch | Exception = self._pipe.recv()
        except (EOFError, OSError):
            raise LimnerError(
                "a worker has ended: killed, or started by a script outside "
                "`if __name__ == '__main__':`"
            ) from None
        if isinstance(found, Exception):
            raise found
        return found


def _gather(batches: Minibatches, pipe: Connection) -> None:
    """Serve batches in a worker process until the pipe closes."""
    with suppress(EOFError, OSError):
        while True:
            asked = pipe.recv()
            try:
                pipe.send(batches.batch(*asked))
            except Exception as error:
                pipe.send(error)
