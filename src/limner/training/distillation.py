"""Distillation: training on the predictions of other models besides the captions.

The teachers' distributions over the next token contain alternatives to the word of the caption. The
mean of several teachers is better than each of them, and one student can learn most of it.

Source: G. Hinton, O. Vinyals and J. Dean, "Distilling the knowledge in a neural network", 2015.

Shapes: M captions, B of them in a batch, T tokens, K most likely tokens, V vocabulary.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from limner.data.dataset import Split
from limner.decoding import Decoder
from limner.layers import SoftTargets
from limner.models import Batch
from limner.training.objectives import BatchRequest, Objective
from limner.typing import Array, Float, Int

KEPT = 16
"""K: number of tokens whose probability is stored; they have nearly all of it."""

IMAGES = 50
"""Images per batch of teachers."""


class Distillation(Objective):
    """Maximum likelihood of the captions and of soft targets.

    Args:
        soft_targets: (M, T - 1, K) for all captions of the training split.
    """

    def __init__(self, soft_targets: SoftTargets) -> None:
        self._soft_targets = soft_targets

    def batch(self, request: BatchRequest) -> Batch:
        """See `Objective.batch`."""
        rows = request.rows
        soft_targets = SoftTargets(*(part[rows] for part in self._soft_targets))
        return Batch(*request.split.minibatch(rows, request.rng), soft_targets=soft_targets)


def soft_targets_of(
    teacher: Decoder,
    num_words: int,
    split: Split,
    null: int = 0,
    on_block: Callable[[], None] = lambda: None,
) -> SoftTargets:
    """The predictions of a teacher at every token of a split's captions.

    Args:
        teacher: with the split's vocabulary and features.
        num_words: V.
        split: its images are used without augmented views.
        null: id of `<NULL>`.
        on_block: called after each batch; may raise to stop.

    Returns:
        (M, T - 1, K): probabilities with a sum of 1 per token, 0 after the end of a caption.

    >>> from limner.models import CaptioningRNN
    >>> words = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3, "dog": 4}
    >>> captions = np.array([[1, 3, 2, 0], [1, 4, 3, 2]], dtype=np.int32)
    >>> split = Split(captions, np.array([0, 1]), np.eye(2, dtype=np.float32), ("a", "b"))
    >>> model = CaptioningRNN(words, input_dim=2, rng=np.random.default_rng(0))
    >>> soft_targets_of(model, len(words), split).probs.sum(axis=2).round(2)
    array([[1., 1., 0.],
           [1., 1., 1.]], dtype=float32)
    """
    split = replace(split, views=())
    M, T = split.captions.shape
    K = min(KEPT, num_words)
    soft = SoftTargets(np.zeros((M, T - 1, K), np.int32), np.zeros((M, T - 1, K), np.float32))
    by_image = np.argsort(split.image_idxs, kind="stable")
    ends = np.cumsum(np.bincount(split.image_idxs, minlength=len(split.features)))
    for first in range(0, len(split.features), IMAGES):
        last = min(first + IMAGES, len(split.features))
        rows = by_image[ends[first - 1] if first else 0 : ends[last - 1]]
        if rows.size:
            _read(teacher, split, rows, null, soft)
        on_block()
    return soft


def _read(
    teacher: Decoder, split: Split, rows: Int[Array, " B"], null: int, soft: SoftTargets
) -> None:
    """Fill in the predictions for these captions."""
    features, captions, image_idxs = split.by_image(rows)
    state = teacher.select(teacher.start(features), image_idxs)
    K = soft.tokens.shape[2]
    for t in range(captions.shape[1] - 1):
        running = np.flatnonzero((captions[:, t + 1 :] != null).any(axis=1))
        if len(running) < len(captions):
            captions, rows = captions[running], rows[running]
            state = teacher.select(state, running)
        if not rows.size:
            break
        scores, state = teacher.step(captions[:, t], state)
        soft.tokens[rows, t], soft.probs[rows, t] = _likeliest(scores, K)


def _likeliest(
    scores: Float[Array, "N V"], K: int
) -> tuple[Int[Array, "N K"], Float[Array, "N K"]]:
    """The K most likely tokens in the order of their ids, and their probabilities among these."""
    tokens = np.sort(np.argpartition(scores, -K, axis=1)[:, -K:], axis=1)
    top = np.take_along_axis(scores, tokens, axis=1)
    probs = np.exp(top - top.max(axis=1, keepdims=True))
    return tokens, probs / probs.sum(axis=1, keepdims=True)
