"""The output layer and the softmax loss, forward and backward, in chunks of bounded memory.

Shapes: P packed rows, N captions, R input of the output layer, V vocabulary, K tokens of a soft
target.
"""

from typing import NamedTuple

import numpy as np

from limner.engine.numpy.packing import PackedCaptions
from limner.engine.numpy.workspace import Workspace
from limner.layers import SoftTargets
from limner.models import Batch
from limner.typing import Array, Float, Int

LOGITS = 4_000_000
"""Logits per chunk of rows, so that memory does not grow with N T V."""

CACHED = 65536
"""Logits per block, which fits into the cache."""


class Targets(NamedTuple):
    """The targets of packed rows.

    Attributes:
        tokens: (P,) target tokens.
        weights: (P,) weight of each row in the loss.
        num_captions: N, the divisor of the loss.
        label_smoothing: see `limner.layers.temporal_softmax_loss`.
        soft: (P, K) probabilities of other tokens, or None.
    """

    tokens: Int[Array, " P"]
    weights: Float[Array, " P"]
    num_captions: int
    label_smoothing: float = 0.0
    soft: SoftTargets | None = None

    def rows(self, rows: slice) -> "Targets":
        """The targets of some of the rows."""
        soft = self.soft and SoftTargets(*(part[rows] for part in self.soft))
        return self._replace(tokens=self.tokens[rows], weights=self.weights[rows], soft=soft)


def packed_targets(
    batch: Batch, packed: PackedCaptions, label_smoothing: float, dtype: type[np.floating]
) -> Targets:
    """The targets of a batch, in the order of its packed rows."""
    caption, position = packed.caption, packed.position
    weights = packed.counted.astype(dtype)
    if batch.weights is not None:
        weights = np.where(packed.counted, batch.weights[caption], 0).astype(dtype)
    soft = None
    if batch.soft_targets is not None:
        tokens, probs = (part[caption, position] for part in batch.soft_targets)
        soft = SoftTargets(tokens, probs.astype(dtype, copy=False))
    return Targets(packed.targets, weights, len(batch.captions), label_smoothing, soft)


class Output(NamedTuple):
    """Arrays for the gradients: dh (P, R), dW (R, V), db (V,)."""

    dh: Array
    dW: Array  # noqa: N815 - the field's name
    db: Array


def score(
    h: Float[Array, "P R"],
    W: Float[Array, "R V"],
    b: Float[Array, " V"],
    targets: Targets,
    grads: Output,
    workspace: Workspace,
) -> float:
    """The loss of logits `h W + b`; fills the gradients.

    Args:
        h: one row per target.
        W, b: weights and biases; W and dW may be transposes of the word vectors'.
        targets: the targets.
        grads: arrays for the gradients.
        workspace: for the logits.
    """
    dh, dW, db = grads
    P, V = len(h), W.shape[1]
    chunk = max(LOGITS // V, 1)
    loss = 0.0
    for start in range(0, P, chunk):
        rows = slice(start, min(start + chunk, P))
        logits = workspace("logits", rows.stop - rows.start, V)
        np.matmul(h[rows], W, out=logits)
        logits += b
        loss += softmax_loss_backward(logits, targets.rows(rows))
        dlogits = logits
        np.matmul(dlogits, W.T, out=dh[rows])
        if start == 0:
            _product(h[rows], dlogits, dW)
            np.sum(dlogits, axis=0, out=db)
        else:
            R = h.shape[1]
            more = workspace("dW", V, R).T if _flipped(dW) else workspace("dW", R, V)
            _product(h[rows], dlogits, more)
            dW += more
            db += dlogits.sum(axis=0)
    return loss


def _product(h: Array, dlogits: Array, dW: Array) -> None:
    """`dW = h^T dlogits`, written along the rows of the array that dW is a view of."""
    if _flipped(dW):
        np.matmul(dlogits.T, h, out=dW.T)
    else:
        np.matmul(h.T, dlogits, out=dW)


def _flipped(W: Array) -> bool:
    return not W.flags.c_contiguous


def softmax_loss_backward(logits: Float[Array, "P V"], targets: Targets) -> float:
    """The loss of `limner.layers.temporal_softmax_loss`; overwrites logits with their gradient.

    >>> logits = np.zeros((1, 4))
    >>> targets = Targets(np.array([1]), np.array([1.0]), num_captions=1)
    >>> round(softmax_loss_backward(logits, targets), 4), logits.tolist()
    (1.3863, [[0.25, -0.75, 0.25, 0.25]])
    """
    P, V = logits.shape
    block = max(CACHED // V, 1)
    smoothing = targets.label_smoothing
    scales = (targets.weights / targets.num_captions).astype(logits.dtype)
    right_probs = np.full(P, 1 - smoothing, logits.dtype)
    if targets.soft:
        right_probs -= targets.soft.probs.sum(axis=1)
    loss = 0.0
    for start in range(0, P, block):
        among = slice(start, start + block)
        x, y, c, scale = (a[among] for a in (logits, targets.tokens, targets.weights, scales))
        rows, right_prob = np.arange(len(x)), right_probs[among]
        # log softmax(x)[y] = x[y] - max - log sum exp(x - max)
        x -= x.max(axis=1, keepdims=True)
        right = right_prob * x[rows, y]
        if smoothing:
            right += smoothing * x.mean(axis=1)
        if targets.soft:
            others, probs = (part[among] for part in targets.soft)
            right += (probs * np.take_along_axis(x, others, axis=1)).sum(axis=1)
        np.exp(x, out=x)
        sums = x.sum(axis=1)
        loss -= float(((right - np.log(sums)) * c).sum())
        # dx = (softmax(x) - right_share onehot(y) - smoothing / V - soft) * weight / N
        x *= (scale / sums)[:, None]
        x[rows, y] -= right_prob * scale
        if smoothing:
            x -= (scale * (smoothing / V))[:, None]
        if targets.soft:
            np.subtract.at(x, (rows[:, None], others), probs * scale[:, None])
    return loss / targets.num_captions
