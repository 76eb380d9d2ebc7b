"""Optimized loss and gradients of `CaptioningRNN`.

    pack     captions -> rows without padding, time step by time step      packing.py
    project  features -> h_0
    embed    the distinct tokens' vectors, times Wx, plus b
    recur    h_0, tokens -> h, the cell over the packed rows                 cells/
    score    h -> logits -> the loss, and back to dh; dW_vocab              scoring.py
    recur    dh -> da, dh_0; dWh
    embed    da, summed by token -> dWx, dW_embed                            token_sums.py
    project  dh_0 -> dW_proj

The input of a further layer is the h of the layer below, all rows in one product. Every product
writes into an existing array. docs/performance.md derives the stages and measures the gain of each.

Shapes: N captions of M images, T tokens, P packed rows, U distinct tokens, D features, W word
vector, H hidden, V vocabulary; m gates.
"""

from typing import NamedTuple

import numpy as np

from limner.engine.numpy.cells import FAST_CELLS, by_gate, recurrent_weights
from limner.engine.numpy.cells.base import Cache, PackedSequence
from limner.engine.numpy.packing import PackedCaptions, pack
from limner.engine.numpy.scoring import Output, packed_targets, score
from limner.engine.numpy.token_sums import sum_by_token
from limner.engine.numpy.workspace import Workspace
from limner.models import Batch, CaptioningRNN, Masks
from limner.typing import Array, Float, Int


class Recurred(NamedTuple):
    """The results of a layer's forward pass for its backward pass."""

    x: Float[Array, "P H"] | None
    sequence: PackedSequence
    cache: Cache


class RecurrentPass:
    """Forward and backward through a `CaptioningRNN`.

    Args:
        model: defines the shapes.
        params: the model's parameters.
        grads: arrays of the same names and shapes, for the gradients.
    """

    def __init__(
        self, model: CaptioningRNN, params: dict[str, Array], grads: dict[str, Array]
    ) -> None:
        self._model = model
        self._params = params
        self._grads = grads
        self._num_gates = model.cell.gates
        self._cell = FAST_CELLS[model.config.cell_type]
        self._workspace = Workspace(model.dtype)
        self._layers = [Workspace(model.dtype) for _ in model.layer_names]

    def __call__(
        self,
        batch: Batch,
        features: Float[Array, "M D"],
        masks: Masks,
        label_smoothing: float,
    ) -> float:
        """See `limner.engine.numpy.fast.Pass`."""
        p, grads, workspace = self._params, self._grads, self._workspace
        packed = pack(batch, self._model.null, len(p["b_vocab"]))
        if not packed.steps:  # every target is <NULL>
            for grad in grads.values():
                grad[:] = 0
            return 0.0

        projected = workspace("projected", len(features), p["b_proj"].size)
        np.matmul(features, p["W_proj"], out=projected)
        projected += p["b_proj"]
        if "features" in masks:
            projected *= masks["features"]
        image = batch.image_idxs[packed.order]
        h0 = projected[image]
        mask = masks["embedding"][packed.tokens] if "embedding" in masks else None
        x, inputs = self._embed(packed.tokens, mask)
        h, recurred = self._recur(inputs, packed, h0)
        kept = masks["output"][packed.caption] if "output" in masks else None
        if kept is not None:
            h = np.multiply(h, kept, out=workspace("h kept", *h.shape))

        W_vocab, dW_vocab = self._of_vocabulary()
        dh = workspace("dh", *h.shape)
        targets = packed_targets(batch, packed, label_smoothing, self._model.dtype)
        output = Output(dh, dW_vocab, grads["b_vocab"])
        loss = score(h, W_vocab, p["b_vocab"], targets, output, workspace)
        if kept is not None:
            dh *= kept

        da, dh0 = self._recur_backward(dh, recurred)
        self._embed_backward(da, x, packed, mask)
        dprojected = workspace("dprojected", *projected.shape)
        dprojected[:] = 0
        np.add.at(dprojected, image, dh0)
        if "features" in masks:
            dprojected *= masks["features"]
        np.matmul(features.T, dprojected, out=grads["W_proj"])
        np.sum(dprojected, axis=0, out=grads["b_proj"])
        return loss

    def _of_vocabulary(self) -> tuple[Float[Array, "H V"], Float[Array, "H V"]]:
        """W_vocab and the array of its gradient; transposes if tied."""
        if self._model.config.tied:
            return self._params["W_embed"].T, self._grads["W_embed"].T
        return self._params["W_vocab"], self._grads["W_vocab"]

    def _recur(
        self, inputs: Float[Array, "m U H"], packed: PackedCaptions, h0: Float[Array, "N H"]
    ) -> tuple[Float[Array, "P H"], list[Recurred]]:
        p, m, P = self._params, self._num_gates, len(packed.targets)
        h: Array | None = None
        recurred = []
        for (Wx, Wh, b), workspace in zip(self._model.layer_names, self._layers, strict=True):
            if h is not None:
                inputs = workspace("inputs", m, P, h.shape[1])
                np.matmul(h, by_gate(p[Wx], m), out=inputs)
                inputs += by_gate(p[b][None], m)
            prev_h = workspace("prev_h", P, h0.shape[1])
            prev_h[packed.steps[0]] = h0 if h is None else 0
            weights = recurrent_weights(p[Wh], workspace)
            lookup = packed.lookup if h is None else None
            sequence = PackedSequence(inputs, lookup, packed.steps, prev_h, *weights, workspace)
            below = h
            h, cache = self._cell.forward(sequence)
            recurred.append(Recurred(below, sequence, cache))
        assert h is not None
        return h, recurred

    def _recur_backward(
        self, dh: Float[Array, "P H"], recurred: list[Recurred]
    ) -> tuple[Float[Array, "m P H"], Float[Array, "N H"]]:
        """da of the lowest layer's inputs, and dh_0; fills dWh, and dWx and db of upper layers."""
        p, grads, m = self._params, self._grads, self._num_gates
        for (Wx, Wh, b), was in reversed([*zip(self._model.layer_names, recurred, strict=True)]):
            dWh = by_gate(grads[Wh], m)
            da, dh0 = self._cell.backward(dh, was.cache, was.sequence, dWh)
            if was.x is not None:
                np.matmul(was.x.T, da, out=by_gate(grads[Wx], m))
                np.sum(da, axis=1, out=grads[b].reshape(m, -1))
                dh = np.matmul(da, by_gate(p[Wx], m).transpose(0, 2, 1)).sum(axis=0)
        return da, dh0

    def _embed(
        self, tokens: Int[Array, " U"], mask: Float[Array, "U W"] | None
    ) -> tuple[Float[Array, "U W"], Float[Array, "m U H"]]:
        """The vectors x of the distinct tokens, and x Wx + b."""
        p, m = self._params, self._num_gates
        x = self._workspace("x", len(tokens), p["W_embed"].shape[1])
        np.take(p["W_embed"], tokens, axis=0, out=x, mode="clip")
        if mask is not None:
            x *= mask
        inputs = self._workspace("inputs", m, len(tokens), len(p["b"]) // m)
        np.matmul(x, by_gate(p["Wx"], m), out=inputs)
        inputs += by_gate(p["b"][None], m)
        return x, inputs

    def _embed_backward(
        self,
        da: Float[Array, "m P H"],
        x: Float[Array, "U W"],
        packed: PackedCaptions,
        mask: Float[Array, "U W"] | None,
    ) -> None:
        """dWx, db and dW_embed, from the sums of da over the rows of each token."""
        p, grads, m = self._params, self._grads, self._num_gates
        dinputs = self._workspace("dinputs", m, len(packed.tokens), da.shape[2])
        sum_by_token(da, packed.lookup, dinputs)
        np.matmul(x.T, dinputs, out=by_gate(grads["Wx"], m))
        np.sum(dinputs, axis=1, out=grads["b"].reshape(m, -1))
        by_gates = self._workspace("dx by gate", m, *x.shape)
        np.matmul(dinputs, by_gate(p["Wx"], m).transpose(0, 2, 1), out=by_gates)
        dx = by_gates.sum(axis=0)
        if mask is not None:
            dx *= mask
        if not self._model.config.tied:  # otherwise added to the gradient of the output weights
            grads["W_embed"][:] = 0
        grads["W_embed"][packed.tokens] += dx
