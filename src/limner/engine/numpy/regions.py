"""Projections of the regions in `AttentionRNN`, forward and backward.

Shapes: N captions of M images, P packed rows, L regions, D features, E projected region,
A attention, H hidden.
"""

from dataclasses import dataclass

import numpy as np

from limner.engine.numpy.token_sums import sum_rows
from limner.engine.numpy.workspace import Workspace
from limner.typing import Array, Float, Int


@dataclass(frozen=True)
class Projected:
    """Values and keys of the regions, their mean, and the initial states of each image."""

    features: Float[Array, "M L D"]
    mask: Float[Array, "M E"] | None
    values: Float[Array, "M L E"]
    keys: Float[Array, "M L A"]
    mean: Float[Array, "M E"]
    h0: Float[Array, "M H"]
    c0: Float[Array, "M H"]


class RegionsPass:
    """Forward and backward through the projections.

    Args:
        params: the model's parameters.
        grads: arrays of the same names and shapes, for the gradients.
        workspace: for the values and keys.
    """

    def __init__(
        self, params: dict[str, Array], grads: dict[str, Array], workspace: Workspace
    ) -> None:
        self._params, self._grads, self._workspace = params, grads, workspace

    def forward(
        self, features: Float[Array, "M L D"], mask: Float[Array, "M E"] | None
    ) -> Projected:
        """Project the regions, and compute the initial states."""
        p, ws = self._params, self._workspace
        M, L, D = features.shape
        E, A = p["W_key"].shape
        values = np.matmul(features.reshape(-1, D), p["W_place"], out=ws("values", M * L, E))
        values += p["b_place"]
        np.maximum(values, 0, out=values)
        values = values.reshape(M, L, E)
        if mask is not None:
            values *= mask[:, None]
        keys = np.matmul(values, p["W_key"], out=ws("keys", M, L, A))
        mean = values.mean(axis=1)
        h0 = np.tanh(mean @ p["W_h0"] + p["b_h0"])
        c0 = np.tanh(mean @ p["W_c0"] + p["b_c0"])
        return Projected(features, mask, values, keys, mean, h0, c0)

    def context_backward(
        self,
        image: Int[Array, " P"],
        attention: Float[Array, "P L"],
        dcontext: Float[Array, "P E"],
        num_images: int,
    ) -> Float[Array, "M L E"]:
        """dvalues from the contexts: one product per image."""
        by_image = np.argsort(image, kind="stable")
        ends = np.cumsum(np.bincount(image, minlength=num_images)).tolist()
        attention, dcontext = attention[by_image], dcontext[by_image]
        dvalues = self._workspace("dvalues", num_images, attention.shape[1], dcontext.shape[1])
        for number, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
            np.matmul(attention[start:end].T, dcontext[start:end], out=dvalues[number])
        return dvalues

    def backward(
        self,
        projected: Projected,
        image: Int[Array, " N"],
        dvalues: Float[Array, "M L E"],
        drow_keys: Float[Array, "N L A"],
        dh: Float[Array, "N H"],
        dc: Float[Array, "N H"],
    ) -> None:
        """Gradients of the projections, from those of the values and of each caption's keys,
        h_0 and c_0; `image` is the image of each caption."""
        p, grads = self._params, self._grads
        features, values, mean = projected.features, projected.values, projected.mean
        M, L, D = features.shape
        E, A = p["W_key"].shape
        dkeys = np.zeros((M, L, A), values.dtype)
        np.add.at(dkeys, image, drow_keys)
        dh0 = sum_rows(dh, image, M) * (1 - projected.h0**2)
        dc0 = sum_rows(dc, image, M) * (1 - projected.c0**2)
        np.matmul(mean.T, dh0, out=grads["W_h0"])
        np.matmul(mean.T, dc0, out=grads["W_c0"])
        grads["b_h0"][:], grads["b_c0"][:] = dh0.sum(axis=0), dc0.sum(axis=0)
        np.matmul(values.reshape(-1, E).T, dkeys.reshape(-1, A), out=grads["W_key"])
        dvalues += dkeys @ p["W_key"].T
        dvalues += ((dh0 @ p["W_h0"].T + dc0 @ p["W_c0"].T) / L)[:, None]
        dvalues *= values > 0
        if projected.mask is not None:
            dvalues *= projected.mask[:, None]
        drows = dvalues.reshape(-1, E)
        np.matmul(features.reshape(-1, D).T, drows, out=grads["W_place"])
        np.sum(drows, axis=0, out=grads["b_place"])
