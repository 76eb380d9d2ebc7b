"""The softmax loss over words, summed over time and averaged over the batch.

Shapes: N captions, T time steps, V vocabulary, K tokens of a soft target.
"""

from typing import NamedTuple

import numpy as np

from limner.typing import Array, Bool, Float, Int


class SoftTargets(NamedTuple):
    """Probabilities of other tokens than the target, at every step.

    Attributes:
        tokens: their ids.
        probs: 0 or more each; with the label smoothing at most 1 together at every step.
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

    With smoothing, the target is a distribution: the right word has 1 - smoothing, and all V words
    share the rest evenly (C. Szegedy et al., "Rethinking the inception architecture", CVPR 2016).
    Soft targets take some of the right word's probability for others, which a teacher finds likely
    (G. Hinton et al., "Distilling the knowledge in a neural network", 2015).

    It works on log-probabilities (`log softmax(x) = x - max - log sum exp(x - max)`), so scores
    of any finite size give a finite loss and gradient.

    Args:
        x: (N, T, V) scores (logits) of every word at every step.
        y: (N, T) the right words' ids, 0 <= id < V.
        mask: (N, T) True where a word counts, False at `<NULL>`; or how much it counts.
        verbose: print the gradient's shape, as the course's code does.
        smoothing: of the labels, 0 <= smoothing < 1.
        soft_targets: (N, T, K) probabilities of other words.

    Returns:
        The loss, in x's precision, and dx (N, T, V): softmax minus the right distribution,
        masked, over N.

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
    right = share * log_probs[rows, words]
    if smoothing:
        right += smoothing * log_probs.mean(axis=1)
    if soft_targets:
        right += (shares * np.take_along_axis(log_probs, others, axis=1)).sum(axis=1)
    loss = -(weights * right).sum() / x.dtype.type(N)

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
