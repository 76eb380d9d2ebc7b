"""Soft attention: look at the places of an image, more at some than at others.

    e_l = tanh(keys_l + query) . w         how well place l fits what is asked for
    a = softmax(e)                         how much of the look goes there; adds up to 1
    context = sum over l of a_l values_l   what is seen

The keys come from the places, the query from the network's state, so the network looks elsewhere
before every word. The constant b of Xu's `w . tanh(...) + b` is left out: softmax does not see it.

Shapes: N captions, L places, A attention, D what is seen of a place.
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
    """One look, as the formulas at the top of this file.

    Args:
        values: (N, L, D) what can be seen at every place.
        keys: (N, L, A) what every place offers.
        query: (N, A) what is asked for.
        w: (A,) weighs the fit.

    Returns:
        context (N, D), the attention weights (N, L), and what `attention_backward` needs.

    >>> import numpy as np
    >>> values, keys = np.array([[[1.0], [3.0]]]), np.array([[[0.0], [0.0]]])
    >>> context, weights, _ = attention_forward(values, keys, np.zeros((1, 1)), np.ones(1))
    >>> context, weights
    (array([[2.]]), array([[0.5, 0.5]]))
    """
    fit = np.tanh(keys + query[:, None, :])
    e = fit @ w
    weights = np.exp(e - e.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    context = (weights[:, None, :] @ values)[:, 0]
    return context, weights, (values, fit, w, weights)


def attention_backward(
    dcontext: Float[Array, "N D"], cache: AttentionCache
) -> tuple[
    Float[Array, "N L D"],
    Float[Array, "N L A"],
    Float[Array, "N A"],
    Float[Array, " A"],
]:
    """Gradients of one look.

    Args:
        dcontext: (N, D) gradient of the context.
        cache: of `attention_forward`.

    Returns:
        dvalues (N, L, D), dkeys (N, L, A), dquery (N, A), dw (A,).
    """
    values, fit, w, weights = cache
    # context = sum over l of weights_l values_l
    dvalues = weights[:, :, None] * dcontext[:, None, :]
    dweights = (values @ dcontext[:, :, None])[:, :, 0]
    # weights = softmax(e):  de_l = weights_l (dweights_l - sum over k of weights_k dweights_k)
    de = weights * (dweights - (weights * dweights).sum(axis=1, keepdims=True))
    # e = fit . w
    dfit = de[:, :, None] * w
    dw = np.tensordot(de, fit, axes=2)
    # fit = tanh(keys + query)
    dkeys = dfit * (1 - fit**2)
    dquery = dkeys.sum(axis=1)
    return dvalues, dkeys, dquery, dw
