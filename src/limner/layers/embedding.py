"""Word vectors: a lookup forward, a scatter-add backward.

Shapes: N captions, T words, V vocabulary, W numbers in a word vector.
"""

import numpy as np

from limner.typing import Array, Float, Int

EmbeddingCache = tuple[Array, tuple[int, ...]]


def word_embedding_forward(
    x: Int[Array, "N T"], W: Float[Array, "V W"]
) -> tuple[Float[Array, "N T W"], EmbeddingCache]:
    """`out[n, t] = W[x[n, t]]`: every word id becomes its vector.

    Args:
        x: (N, T) word ids, 0 <= id < V; NumPy raises IndexError for V or more.
        W: (V, W) word vectors.

    Returns:
        out (N, T, W), and what `word_embedding_backward` needs.

    >>> import numpy as np
    >>> word_embedding_forward(np.array([[2, 0]]), np.array([[1.0], [2.0], [3.0]]))[0]
    array([[[3.],
            [1.]]])
    """
    return W[x], (x, W.shape)


def word_embedding_backward(
    dout: Float[Array, "N T W"], cache: EmbeddingCache
) -> Float[Array, "V W"]:
    """dW (V, W): each word's row sums the gradients of all the places it stood in."""
    x, shape = cache
    dW = np.zeros(shape, dtype=dout.dtype)
    np.add.at(dW, x, dout)
    return dW
