"""The softmax loss over words, summed over time and averaged over the batch.

Shapes: N captions, T time steps, V vocabulary, K tokens of a soft target.
"""

from typing import NamedTuple

import numpy as np

from limner.typing import Array, Bool, Float, Int


class SoftTargets(NamedTuple):
    """Probabilities of alternatives to the target token, at every step.

    Attributes:
        tokens: ids of the alternatives.
        probs: at least 0; their sum per step, plus the label smoothing, is at most 1.
    """

    tokens: Int[Array, "*_ K"]
    probs: Float[Array, "*_ K"]


def temporal_softmax_loss(
    x: Float[Array, "N T V"],
    y: Int[Array, "N T"],
    mask: Bool[Array, "N T"] | Float[Array, "N T"],
    verbose: bool = False,
    smoothing: float = 0.0,
    soft_targets: SoftTargets | None = None,
) -> tuple[np.floating, Float[Array, "N T V"]]:
    """`loss = -1/N * sum over n, t of mask[n, t] * log softmax(x[n, t])[y[n, t]]`.

    With smoothing, the target is a distribution: the target word has 1 - smoothing, and the rest is
    divided equally among all V words (C. Szegedy et al., "Rethinking the inception architecture",
    CVPR 2016). Soft targets transfer some of the target word's probability to other words, as a
    teacher predicts them (G. Hinton et al., "Distilling the knowledge in a neural network", 2015).

    It uses log-probabilities (`log softmax(x) = x - max - log sum exp(x - max)`), so that any
    finite logits give a finite loss and gradient.

    Args:
        x: (N, T, V) logits.
        y: (N, T) ids of the target words, 0 <= id < V.
        mask: (N, T) False at `<NULL>`; or a weight for each word.
        verbose: print the shape of the gradient, as the course's code does.
        smoothing: label smoothing, 0 <= smoothing < 1.
        soft_targets: (N, T, K) probabilities of alternatives.

    Returns:
        The loss, in the dtype of x, and dx (N, T, V): (softmax - target distribution) * mask / N.

    >>> import numpy as np
    >>> x, y, mask = np.zeros((1, 2, 4)), np.array([[1, 2]]), np.array([[True, False]])
    >>> loss, dx = temporal_softmax_loss(x, y, mask)
    >>> float(loss.round(4)), dx[0, 0].tolist(), bool(dx[0, 1].any())
    (1.3863, [0.25, -0.75, 0.25, 0.25], False)
    """
    N, T, V = x.shape
    rows, words = np.arange(N * T), y.reshape(-1)
    weights = mask.reshape(-1).astype(x.dtype)

    shifted = x.reshape(N * T, V) - x.reshape(N * T, V).max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    share = 1 - smoothing
    if soft_targets:
        others, shares = (part.reshape(N * T, -1) for part in soft_targets)
        share = share - shares.sum(axis=1)
    target = share * log_probs[rows, words]
    if smoothing:
        target += smoothing * log_probs.mean(axis=1)
    if soft_targets:
        target += (shares * np.take_along_axis(log_probs, others, axis=1)).sum(axis=1)
    loss = -(weights * target).sum() / x.dtype.type(N)

    # d log softmax(x)[y] / dx = onehot(y) - softmax(x)
    dx = np.exp(log_probs)
    dx[rows, words] -= share
    dx -= smoothing / V
    if soft_targets:
        np.subtract.at(dx, (rows[:, None], others), shares)
    dx *= weights[:, None] / x.dtype.type(N)
    if verbose:
        print("dx: ", (N, T, V))
    return loss, dx.reshape(N, T, V)
