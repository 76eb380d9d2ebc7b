"""From what the next word is read from to the loss, and back, in chunks that memory can hold.

Shapes: P packed rows, N captions, R what a row reads the next word from, V vocabulary, K words that
share what is expected.
"""

import numpy as np

from limner.arrays import Array, Float, Int
from limner.layers.loss import Shared
from limner.workspace import Workspace

LOGITS = 4_000_000
"""Scores kept at a time: rows are scored in chunks, so that memory does not grow with N T V."""

CACHED = 65536
"""Numbers that stay in the cache while the softmax passes over them."""


def score(
    h: Float[Array, "P R"],
    W: Float[Array, "R V"],
    b: Float[Array, " V"],
    targets: Int[Array, " P"],
    counts: Float[Array, " P"],
    num_captions: int,
    smoothing: float,
    shared: Shared | None,
    dh: Float[Array, "P R"],
    dW: Float[Array, "R V"],
    db: Float[Array, " V"],
    workspace: Workspace,
) -> float:
    """The loss of scores `h W + b`; dh, dW and db are filled.

    Args:
        h: a row for every expected word.
        W, b: of the vocabulary; W and dW may be the transposes of a word embedding's.
        targets: the expected words.
        counts: what each row counts, 0 for not at all.
        num_captions: N, which the loss is divided by.
        smoothing: of the labels.
        shared: (P, K) what other words have of what is expected.
        dh, dW, db: where the gradients go.
        workspace: for the scores.
    """
    P, V = len(h), W.shape[1]
    chunk = max(LOGITS // V, 1)
    loss = 0.0
    for start in range(0, P, chunk):
        rows = slice(start, min(start + chunk, P))
        logits = workspace("logits", rows.stop - rows.start, V)
        np.matmul(h[rows], W, out=logits)
        logits += b
        others = shared and Shared(shared.words[rows], shared.shares[rows])
        loss += softmax_loss(logits, targets[rows], counts[rows], num_captions, smoothing, others)
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
    """`dW = h^T dlogits`, written along the rows of whatever dW is a view of."""
    if _flipped(dW):
        np.matmul(dlogits.T, h, out=dW.T)
    else:
        np.matmul(h.T, dlogits, out=dW)


def _flipped(W: Array) -> bool:
    return not W.flags.c_contiguous


def softmax_loss(
    logits: Float[Array, "P V"],
    targets: Int[Array, " P"],
    counts: Float[Array, " P"],
    num_captions: int,
    smoothing: float = 0.0,
    shared: Shared | None = None,
) -> float:
    """The loss of `limner.layers.temporal_softmax_loss`; logits become their gradient, in place.

    >>> logits = np.zeros((1, 4))
    >>> round(softmax_loss(logits, np.array([1]), np.array([1.0]), 1), 4), logits.tolist()
    (1.3863, [[0.25, -0.75, 0.25, 0.25]])
    """
    P, V = logits.shape
    block = max(CACHED // V, 1)
    scales = (counts / num_captions).astype(logits.dtype)
    right_shares = np.full(P, 1 - smoothing, logits.dtype)
    if shared:
        right_shares -= shared.shares.sum(axis=1)
    loss = 0.0
    for start in range(0, P, block):
        among = slice(start, start + block)
        x, y, c, scale = (a[among] for a in (logits, targets, counts, scales))
        rows, right_share = np.arange(len(x)), right_shares[among]
        # log softmax(x)[y] = x[y] - max - log sum exp(x - max)
        x -= x.max(axis=1, keepdims=True)
        right = right_share * x[rows, y]
        if smoothing:
            right += smoothing * x.mean(axis=1)
        if shared:
            others, shares = shared.words[among], shared.shares[among]
            right += (shares * np.take_along_axis(x, others, axis=1)).sum(axis=1)
        np.exp(x, out=x)
        sums = x.sum(axis=1)
        loss -= float(((right - np.log(sums)) * c).sum())
        # dx = (softmax(x) - right_share onehot(y) - smoothing / V - shares) * count / N
        x *= (scale / sums)[:, None]
        x[rows, y] -= right_share * scale
        if smoothing:
            x -= (scale * (smoothing / V))[:, None]
        if shared:
            np.subtract.at(x, (rows[:, None], others), shares * scale[:, None])
    return loss / num_captions
