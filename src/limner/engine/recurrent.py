"""The loss and the gradients of `CaptioningRNN`, with nothing done that need not be.

    pack     captions -> rows without padding, time step by time step      packing.py
    project  features -> h_0
    embed    the distinct words' vectors, times Wx, plus b
    recur    h_0, words -> h, the cell over the packed rows                 cells.py
    score    h -> logits -> the loss, and back to dh; dW_vocab              scoring.py
    recur    dh -> da, dh_0; dWh
    embed    da, summed by word -> dWx, dW_embed                            word_sums.py
    project  dh_0 -> dW_proj

A further layer is a cell whose inputs are its lower neighbour's h, all rows in one product.
Every product writes into an array that is there already. docs/performance.md derives the stages
and says what each trick is worth.

Shapes: N captions of M pictures, T words, P packed rows, U distinct words, D features, W word
vector, H hidden, V vocabulary; m = 1 (rnn), 3 (gru) or 4 (lstm).
"""

from typing import NamedTuple

import numpy as np

from limner.arrays import Array, Float, Int
from limner.engine.base import Batch
from limner.engine.cells import CELLS, Cache, by_gate, recurrent_weights
from limner.engine.packing import PackedCaptions, pack
from limner.engine.scoring import score
from limner.engine.word_sums import sum_by_word
from limner.models.rnn import GATES, CaptioningRNN
from limner.workspace import Workspace


class Recurred(NamedTuple):
    """What a layer's backward pass needs of its forward pass."""

    x: Float[Array, "P H"] | None
    prev_h: Float[Array, "P H"]
    WhT: Float[Array, "m H H"]
    cache: Cache


class RecurrentPass:
    """Forward and backward through a `CaptioningRNN`.

    Args:
        model: for its shape.
        params: the model's parameters.
        grads: arrays of the same names and shapes, for the gradients.
    """

    def __init__(
        self, model: CaptioningRNN, params: dict[str, Array], grads: dict[str, Array]
    ) -> None:
        self._model = model
        self._params = params
        self._grads = grads
        self._num_gates = GATES[model.cell_type]
        self._workspace = Workspace(model.dtype)
        self._layers = [Workspace(model.dtype) for _ in model.layer_names]

    def __call__(self, batch: Batch) -> float:
        """Fill the gradients; returns the loss."""
        p, grads, workspace, masks = self._params, self._grads, self._workspace, batch.masks
        V = len(p["b_vocab"])
        packed = pack(batch.captions, self._model.null, V, batch.inputs)
        if not packed.steps:  # nothing but <NULL> is expected
            for grad in grads.values():
                grad[:] = 0
            return 0.0

        projected = workspace("projected", len(batch.features), p["b_proj"].size)
        np.matmul(batch.features, p["W_proj"], out=projected)
        projected += p["b_proj"]
        if masks:
            projected *= masks.features
        pictures = batch.image_idxs[packed.order]
        h0 = projected[pictures]
        x, inputs = self._embed(packed.words, batch)
        h, recurred = self._recur(inputs, packed, h0)
        kept = None if masks is None else masks.output[packed.caption]
        if kept is not None:
            h = np.multiply(h, kept, out=workspace("h kept", *h.shape))

        W_vocab, dW_vocab = self._of_vocabulary()
        dh = workspace("dh", *h.shape)
        counts = batch.counts(packed.caption, packed.counted)
        loss = score(
            h,
            W_vocab,
            p["b_vocab"],
            packed.targets,
            counts,
            len(batch.captions),
            batch.smoothing,
            batch.others(packed.caption, packed.place),
            dh,
            dW_vocab,
            grads["b_vocab"],
            workspace,
        )
        if kept is not None:
            dh *= kept

        da, dh0 = self._recur_backward(dh, recurred, packed)
        self._embed_backward(da, x, packed, batch)
        dprojected = workspace("dprojected", *projected.shape)
        dprojected[:] = 0
        np.add.at(dprojected, pictures, dh0)
        if masks:
            dprojected *= masks.features
        np.matmul(batch.features.T, dprojected, out=grads["W_proj"])
        np.sum(dprojected, axis=0, out=grads["b_proj"])
        return loss

    def _of_vocabulary(self) -> tuple[Float[Array, "H V"], Float[Array, "H V"]]:
        """W_vocab and where its gradient goes: tied, both are transposes."""
        if self._model.tied:
            return self._params["W_embed"].T, self._grads["W_embed"].T
        return self._params["W_vocab"], self._grads["W_vocab"]

    def _recur(
        self, inputs: Float[Array, "m U H"], packed: PackedCaptions, h0: Float[Array, "N H"]
    ) -> tuple[Float[Array, "P H"], list[Recurred]]:
        p, m, P = self._params, self._num_gates, len(packed.targets)
        forward, _ = CELLS[self._model.cell_type]
        h: Array | None = None
        recurred = []
        for (Wx, Wh, b), workspace in zip(self._model.layer_names, self._layers, strict=True):
            if h is not None:
                inputs = workspace("inputs", m, P, h.shape[1])
                np.matmul(h, by_gate(p[Wx], m), out=inputs)
                inputs += by_gate(p[b][None], m)
            prev_h = workspace("prev_h", P, h0.shape[1])
            prev_h[packed.steps[0]] = h0 if h is None else 0
            weights, WhT = recurrent_weights(p[Wh], workspace)
            lookup = packed.lookup if h is None else None
            below = h
            h, cache = forward(inputs, lookup, packed.steps, prev_h, weights, workspace)
            recurred.append(Recurred(below, prev_h, WhT, cache))
        assert h is not None
        return h, recurred

    def _recur_backward(
        self, dh: Float[Array, "P H"], recurred: list[Recurred], packed: PackedCaptions
    ) -> tuple[Float[Array, "m P H"], Float[Array, "N H"]]:
        """da of the lowest layer's inputs, and dh_0; fills dWh, and dWx and db of upper layers."""
        p, grads, m = self._params, self._grads, self._num_gates
        _, backward = CELLS[self._model.cell_type]
        for (Wx, Wh, b), workspace, was in reversed(
            list(zip(self._model.layer_names, self._layers, recurred, strict=True))
        ):
            da, da_by_h, dh0 = backward(dh, was.cache, packed.steps, was.WhT, workspace)
            np.matmul(was.prev_h.T, da_by_h, out=by_gate(grads[Wh], m))
            if was.x is not None:
                np.matmul(was.x.T, da, out=by_gate(grads[Wx], m))
                np.sum(da, axis=1, out=grads[b].reshape(m, -1))
                dh = np.matmul(da, by_gate(p[Wx], m).transpose(0, 2, 1)).sum(axis=0)
        return da, dh0

    def _embed(self, words: Int[Array, " U"], batch: Batch) -> tuple[Array, Array]:
        """The distinct words' vectors x (U, W), and what they give the cell, x Wx + b (m, U, H)."""
        p, m = self._params, self._num_gates
        x = self._workspace("x", len(words), p["W_embed"].shape[1])
        np.take(p["W_embed"], words, axis=0, out=x, mode="clip")
        if batch.masks:
            x *= batch.masks.embedding[words]
        inputs = self._workspace("inputs", m, len(words), len(p["b"]) // m)
        np.matmul(x, by_gate(p["Wx"], m), out=inputs)
        inputs += by_gate(p["b"][None], m)
        return x, inputs

    def _embed_backward(
        self,
        da: Float[Array, "m P H"],
        x: Float[Array, "U W"],
        packed: PackedCaptions,
        batch: Batch,
    ) -> None:
        """dWx, db and dW_embed: a word's rows all took the same inputs, so their da are summed."""
        p, grads, m = self._params, self._grads, self._num_gates
        dinputs = self._workspace("dinputs", m, len(packed.words), da.shape[2])
        sum_by_word(da, packed.lookup, dinputs)
        np.matmul(x.T, dinputs, out=by_gate(grads["Wx"], m))
        np.sum(dinputs, axis=1, out=grads["b"].reshape(m, -1))
        by_gates = self._workspace("dx by gate", m, *x.shape)
        np.matmul(dinputs, by_gate(p["Wx"], m).transpose(0, 2, 1), out=by_gates)
        dx = by_gates.sum(axis=0)
        if batch.masks:
            dx *= batch.masks.embedding[packed.words]
        if not self._model.tied:  # else the scores' gradient is there already
            grads["W_embed"][:] = 0
        grads["W_embed"][packed.words] += dx
