"""The softmax loss over words, summed over time and averaged over the batch.

Shapes: N captions, T time steps, V vocabulary.
"""

import numpy as np

from limner.arrays import Array, Bool, Float, Int


def temporal_softmax_loss(
    x: Float[Array, "N T V"],
    y: Int[Array, "N T"],
    mask: Bool[Array, "N T"],
    verbose: bool = False,
) -> tuple[np.floating, Float[Array, "N T V"]]:
    """`loss = -1/N * sum over n, t of mask[n, t] * log softmax(x[n, t])[y[n, t]]`.

    It works on log-probabilities (`log softmax(x) = x - max - log sum exp(x - max)`), so scores
    of any finite size give a finite loss and gradient.

    Args:
        x: (N, T, V) scores (logits) of every word at every step.
        y: (N, T) the right words' ids, 0 <= id < V.
        mask: (N, T) True where a word counts; False at `<NULL>`.
        verbose: print the gradient's shape, as the course's code does.

    Returns:
        The loss, in x's precision, and dx (N, T, V): softmax minus one-hot, masked, over N.

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
    loss = -(weights * log_probs[rows, words]).sum() / x.dtype.type(N)

    # d log softmax(x)[y] / dx = onehot(y) - softmax(x)
    dx = np.exp(log_probs)
    dx[rows, words] -= 1
    dx *= weights[:, None] / x.dtype.type(N)
    if verbose:
        print("dx: ", (N, T, V))
    return loss, dx.reshape(N, T, V)
