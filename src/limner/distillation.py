"""Distillation: a model learns what others find likely, beside what people said.

At every word of a training caption a person has said one word; models that were trained before know
which others could have stood there, and how well. What several of them say together is better than
what each says alone, and one model can learn most of it.

Source: G. Hinton, O. Vinyals and J. Dean, "Distilling the knowledge in a neural network", 2015.

Shapes: M captions, T words, K likeliest words, V vocabulary.
"""

from collections.abc import Callable

import numpy as np

from limner.arrays import Array, Float, Int
from limner.data.dataset import Split
from limner.decoding.limits import Step, rows_of
from limner.layers import Shared
from limner.models import WordModel

KEPT = 16
"""K: the words that a teacher's probabilities are kept of; they have nearly all of it."""

PICTURES = 50
"""Pictures whose captions are read at a time."""


def teach(teacher: WordModel, split: Split, on_block: Callable[[], None] = lambda: None) -> Shared:
    """What a teacher, reading every caption of a split, expects at every word.

    Args:
        teacher: a model, or an `Ensemble`; with the split's vocabulary and features.
        split: its pictures are looked at as they are, never altered.
        on_block: called after every few pictures; may raise to stop.

    Returns:
        Words and shares, (M, T - 1, K); the shares at a word of a caption add up to 1, and are 0
        where the caption has ended.

    >>> from limner.models import CaptioningRNN
    >>> words = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3, "dog": 4}
    >>> captions = np.array([[1, 3, 2, 0], [1, 4, 3, 2]], dtype=np.int32)
    >>> split = Split(captions, np.array([0, 1]), np.eye(2, dtype=np.float32), ("a", "b"))
    >>> model = CaptioningRNN(words, input_dim=2, rng=np.random.default_rng(0))
    >>> teach(model, split).shares.sum(axis=2).round(2)
    array([[1., 1., 0.],
           [1., 1., 1.]], dtype=float32)
    """
    M, T = split.captions.shape
    K = min(KEPT, len(teacher.word_to_idx))
    shared = Shared(np.zeros((M, T - 1, K), np.int32), np.zeros((M, T - 1, K), np.float32))
    step = teacher.stepper()
    by_picture = np.argsort(split.image_idxs, kind="stable")
    ends = np.cumsum(np.bincount(split.image_idxs, minlength=len(split.features)))
    for first in range(0, len(split.features), PICTURES):
        last = min(first + PICTURES, len(split.features))
        rows = by_picture[ends[first - 1] if first else 0 : ends[last - 1]]
        if rows.size:
            _read(teacher, step, split, rows, shared)
        on_block()
    return shared


def _read(
    teacher: WordModel, step: Step, split: Split, rows: Int[Array, " N"], shared: Shared
) -> None:
    """Fill in what the teacher expects at every word of these captions; shares add up to 1."""
    captions, features, whose = split.shared_minibatch(rows)
    state = rows_of(teacher.initial_state(features), whose)
    K = shared.words.shape[2]
    for t in range(captions.shape[1] - 1):
        running = np.flatnonzero((captions[:, t + 1 :] != teacher.null).any(axis=1))
        if len(running) < len(captions):
            captions, rows, state = captions[running], rows[running], rows_of(state, running)
        if not rows.size:
            break
        scores, state = step(captions[:, t], state)
        words, probs = _likeliest(scores, K)
        shared.words[rows, t], shared.shares[rows, t] = words, probs


def _likeliest(
    scores: Float[Array, "N V"], K: int
) -> tuple[Int[Array, "N K"], Float[Array, "N K"]]:
    """The K likeliest words in the order of their ids, and their probabilities among themselves."""
    words = np.sort(np.argpartition(scores, -K, axis=1)[:, -K:], axis=1)
    top = np.take_along_axis(scores, words, axis=1)
    probs = np.exp(top - top.max(axis=1, keepdims=True))
    return words, probs / probs.sum(axis=1, keepdims=True)
