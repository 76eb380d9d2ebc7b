"""Soft (additive) attention over the regions of an image.

    e_l = tanh(keys_l + query) . w         score of region l
    a = softmax(e)                         attention weights
    context = sum over l of a_l values_l   weighted mean of the values

Keys and values are projections of the region features, the query is one of the hidden state. The
constant b of Xu's `w . tanh(...) + b` is omitted, since it does not change the softmax.

Shapes: N captions, L regions, A size of keys and queries, D size of values.
Source: K. Xu et al., "Show, attend and tell: neural image caption generation with visual
attention", ICML 2015, section 4.2; the form of e: D. Bahdanau et al., "Neural machine translation
by jointly learning to align and translate", ICLR 2015.
"""

import numpy as np

from limner.typing import Array, Float

AttentionCache = tuple[Array, Array, Array, Array]


def attention_forward(
    values: Float[Array, "N L D"],
    keys: Float[Array, "N L A"],
    query: Float[Array, "N A"],
    w: Float[Array, " A"],
) -> tuple[Float[Array, "N D"], Float[Array, "N L"], AttentionCache]:
    """Attention weights and context, as the formulas at the top of this file.

    Args:
        values: (N, L, D) values of the regions.
        keys: (N, L, A) keys of the regions.
        query: (N, A) queries.
        w: (A,) weights of the scores.

    Returns:
        context (N, D), the attention weights (N, L), and the cache for `attention_backward`.

    >>> import numpy as np
    >>> values, keys = np.array([[[1.0], [3.0]]]), np.array([[[0.0], [0.0]]])
    >>> context, weights, _ = attention_forward(values, keys, np.zeros((1, 1)), np.ones(1))
    >>> context, weights
    (array([[2.]]), array([[0.5, 0.5]]))
    """
    activation = np.tanh(keys + query[:, None, :])
    e = activation @ w
    weights = np.exp(e - e.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    context = (weights[:, None, :] @ values)[:, 0]
    return context, weights, (values, activation, w, weights)


def attention_backward(
    dcontext: Float[Array, "N D"], cache: AttentionCache
) -> tuple[
    Float[Array, "N L D"],
    Float[Array, "N L A"],
    Float[Array, "N A"],
    Float[Array, " A"],
]:
    """Gradients of `attention_forward`.

    Args:
        dcontext: (N, D) gradient of the context.
        cache: of `attention_forward`.

    Returns:
        dvalues (N, L, D), dkeys (N, L, A), dquery (N, A), dw (A,).
    """
    values, activation, w, weights = cache
    # context = sum over l of weights_l values_l
    dvalues = weights[:, :, None] * dcontext[:, None, :]
    dweights = (values @ dcontext[:, :, None])[:, :, 0]
    # weights = softmax(e):  de_l = weights_l (dweights_l - sum over k of weights_k dweights_k)
    de = weights * (dweights - (weights * dweights).sum(axis=1, keepdims=True))
    # e = activation . w
    dactivation = de[:, :, None] * w
    dw = np.tensordot(de, activation, axes=2)
    # activation = tanh(keys + query)
    dkeys = dactivation * (1 - activation**2)
    dquery = dkeys.sum(axis=1)
    return dvalues, dkeys, dquery, dw
