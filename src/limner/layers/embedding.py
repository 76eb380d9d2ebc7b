"""Word vectors: a lookup, and a scatter-add of the gradients.

Shapes: N captions, T tokens, V vocabulary, W size of a word vector.
"""

import numpy as np

from limner.typing import Array, Float, Int

EmbeddingCache = tuple[Array, tuple[int, ...]]


def word_embedding_forward(
    x: Int[Array, "N T"], W: Float[Array, "V W"]
) -> tuple[Float[Array, "N T W"], EmbeddingCache]:
    """`out[n, t] = W[x[n, t]]`: the vector of every token.

    Args:
        x: (N, T) token ids, 0 <= id < V.
        W: (V, W) word vectors.

    Returns:
        out (N, T, W), and the cache for `word_embedding_backward`.

    Raises:
        IndexError: for an id of V or more.

    >>> import numpy as np
    >>> word_embedding_forward(np.array([[2, 0]]), np.array([[1.0], [2.0], [3.0]]))[0]
    array([[[3.],
            [1.]]])
    """
    return W[x], (x, W.shape)


def word_embedding_backward(
    dout: Float[Array, "N T W"], cache: EmbeddingCache
) -> Float[Array, "V W"]:
    """Gradient of `word_embedding_forward`.

    Args:
        dout: the upstream gradient.
        cache: of `word_embedding_forward`.

    Returns:
        dW (V, W); the row of a word is the sum over all its occurrences.
    """
    x, shape = cache
    dW = np.zeros(shape, dtype=dout.dtype)
    np.add.at(dW, x, dout)
    return dW
