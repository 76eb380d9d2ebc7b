"""Optimized loss and gradients of `AttentionRNN`.

    pack     captions -> rows without padding, time step by time step      packing.py
    project  features -> values, keys, h_0, c_0, once per image              regions.py
    embed    the distinct tokens' vectors, times Wx, plus b
    recur    attend, then the cell, over the packed rows
    score    [h, z] -> out -> logits -> the loss, and back                  scoring.py
    recur    backpropagation through time and through attention
    sums     over all rows at once: gradients of the weights and of the regions

The captions of an image share its regions: these are projected once, and the gradients are summed
by image. The weights applied to the state (query, gate, cell) form one matrix; its products are
overwritten, first by the gates, then by their gradients.

Shapes: N captions of M images, T tokens, P packed rows, U distinct tokens, L regions, D features,
E projected region, A attention, W word vector, H hidden, G = 4H, K = A + E + 4H, R = H + E,
V vocabulary.
"""

from dataclasses import dataclass

import numpy as np

from limner.engine.numpy.cells.lstm import activate, backpropagate
from limner.engine.numpy.packing import PackedCaptions, pack
from limner.engine.numpy.regions import Projected, RegionsPass
from limner.engine.numpy.scoring import Output, Targets, packed_targets, score
from limner.engine.numpy.token_sums import sum_rows
from limner.engine.numpy.workspace import Workspace
from limner.layers import sigmoid
from limner.models import AttentionRNN, Batch, Masks
from limner.typing import Array, Float, Int


@dataclass(frozen=True)
class Unrolled:
    """Results of the forward pass over the packed rows.

    `from_h` has the products of the states with `of_h`: the query, the gate of the context, and
    the cell's gates.
    """

    of_h: Float[Array, "H K"]
    row_values: Float[Array, "N L E"]
    prev_h: Float[Array, "P H"]
    prev_c: Float[Array, "P H"]
    from_h: Float[Array, "P K"]
    fit: Float[Array, "P L A"]
    attention: Float[Array, "P L"]
    context: Float[Array, "P E"]
    z: Float[Array, "P E"]
    tanh_c: Float[Array, "P H"]
    h: Float[Array, "P H"]


@dataclass(frozen=True)
class Gradients:
    """Results of the backward pass over the packed rows; dfrom_h overwrites from_h."""

    dfrom_h: Float[Array, "P K"]
    dcontext: Float[Array, "P E"]
    drow_keys: Float[Array, "N L A"]
    dprev_h: Float[Array, "N H"]
    dc: Float[Array, "N H"]


class AttentionPass:
    """Forward and backward through an `AttentionRNN`.

    Args:
        model: defines the shapes.
        params: the model's parameters.
        grads: arrays of the same names and shapes, for the gradients.
    """

    def __init__(
        self, model: AttentionRNN, params: dict[str, Array], grads: dict[str, Array]
    ) -> None:
        self._params = params
        self._grads = grads
        self._null, self._dtype = model.null, model.dtype
        self._workspace = Workspace(model.dtype)
        self._regions = RegionsPass(params, grads, self._workspace)
        V, self._W = params["W_embed"].shape
        self._V, self._H = V, len(params["Wh"])
        self._A, self._E = params["w_fit"].size, params["b_gate"].size

    def __call__(
        self,
        batch: Batch,
        features: Float[Array, "M L D"],
        masks: Masks,
        label_smoothing: float,
    ) -> float:
        """See `limner.engine.numpy.fast.Pass`."""
        packed = pack(batch, self._null, self._V)
        if not packed.steps:  # every target is <NULL>
            for grad in self._grads.values():
                grad[:] = 0
            return 0.0
        image = batch.image_idxs[packed.order]
        word_mask = masks["embedding"][packed.tokens] if "embedding" in masks else None
        output_mask = masks["output"][packed.caption] if "output" in masks else None
        targets = packed_targets(batch, packed, label_smoothing, self._dtype)
        projected = self._regions.forward(features, masks.get("features"))
        x, inputs = self._embed(packed.tokens, word_mask)
        unrolled = self._unroll(packed, image, projected, inputs)
        loss, dhz = self._score_backward(unrolled, targets, output_mask)
        grads = self._unroll_backward(packed, unrolled, dhz)
        self._sums_backward(packed, unrolled, grads, x, word_mask)
        dvalues = self._regions.context_backward(
            batch.image_idxs[packed.caption], unrolled.attention, grads.dcontext, len(features)
        )
        by_caption = grads.drow_keys, grads.dprev_h, grads.dc
        self._regions.backward(projected, image, dvalues, *by_caption)
        return loss

    def _embed(
        self, tokens: Int[Array, " U"], mask: Float[Array, "U W"] | None
    ) -> tuple[Float[Array, "U W"], Float[Array, "U G"]]:
        """The vectors of the distinct tokens, and their contributions to the cell."""
        p = self._params
        x = np.take(p["W_embed"], tokens, axis=0)
        if mask is not None:
            x *= mask
        inputs = x @ p["Wx"][: self._W]
        inputs += p["b"]
        return x, inputs

    def _unroll(
        self,
        packed: PackedCaptions,
        image: Int[Array, " N"],
        projected: Projected,
        inputs: Float[Array, "U G"],
    ) -> Unrolled:
        """Attention and cell, step by step."""
        p, ws, H, A, E = self._params, self._workspace, self._H, self._A, self._E
        P, N, L = len(packed.targets), len(image), projected.values.shape[1]
        K = A + E + 4 * H
        u = Unrolled(
            of_h=ws("of_h", H, K),
            row_values=ws("row_values", N, L, E),
            prev_h=ws("prev_h", P, H),
            prev_c=ws("prev_c", P, H),
            from_h=ws("from_h", P, K),
            fit=ws("fit", P, L, A),
            attention=ws("attention", P, L),
            context=ws("context", P, E),
            z=ws("z", P, E),
            tanh_c=ws("tanh_c", P, H),
            h=ws("h", P, H),
        )
        np.concatenate([p["W_query"], p["W_gate"], p["Wh"]], axis=1, out=u.of_h)
        bias = np.concatenate([p["b_query"], p["b_gate"]])
        Wz = p["Wx"][self._W :]
        row_keys = ws("row_keys", N, L, A)
        np.take(projected.values, image, axis=0, out=u.row_values, mode="clip")
        np.take(projected.keys, image, axis=0, out=row_keys, mode="clip")
        first = packed.steps[0]
        u.prev_h[first], u.prev_c[first] = projected.h0[image], projected.c0[image]
        for t, rows in enumerate(packed.steps):
            n = rows.stop - rows.start
            from_h = np.matmul(u.prev_h[rows], u.of_h, out=u.from_h[rows])
            from_h[:, : A + E] += bias
            query, gate, a = from_h[:, :A], from_h[:, A : A + E], from_h[:, A + E :]
            # e = tanh(keys + query) . w_fit;  attention = softmax(e);  context = attention . values
            np.add(row_keys[:n], query[:, None], out=u.fit[rows])
            np.tanh(u.fit[rows], out=u.fit[rows])
            e = np.matmul(u.fit[rows], p["w_fit"], out=u.attention[rows])
            e -= e.max(axis=1, keepdims=True)
            np.exp(e, out=e)
            e /= e.sum(axis=1, keepdims=True)
            np.matmul(e[:, None], u.row_values[:n], out=u.context[rows][:, None])
            # z = sigmoid(gate) * context
            sigmoid(gate, out=gate)
            np.multiply(gate, u.context[rows], out=u.z[rows])
            # a = inputs + prev_h Wh + z Wz
            a += np.matmul(u.z[rows], Wz, out=ws("z Wz", n, 4 * H))
            a += inputs[packed.lookup[rows]]
            c = ws("c", n, H)
            activate(self._gates(a), u.prev_c[rows], c, u.tanh_c[rows], u.h[rows])
            if t + 1 < len(packed.steps):
                later = packed.steps[t + 1]
                u.prev_h[later] = u.h[rows][: later.stop - later.start]
                u.prev_c[later] = c[: later.stop - later.start]
        return u

    def _gates(self, a: Float[Array, "n G"]) -> Float[Array, "4 n H"]:
        """A view with the gates as first axis."""
        return a.reshape(len(a), 4, self._H).transpose(1, 0, 2)

    def _score_backward(
        self, u: Unrolled, targets: Targets, mask: Float[Array, "P R"] | None
    ) -> tuple[float, Float[Array, "P R"]]:
        """The loss and the gradient of [h, z]; fills those of the output layer."""
        p, grads, ws, H = self._params, self._grads, self._workspace, self._H
        P, R = len(targets.tokens), H + self._E
        hz = ws("hz", P, R)
        hz[:, :H], hz[:, H:] = u.h, u.z
        if mask is not None:
            hz *= mask
        out = np.matmul(hz, p["W_out"], out=ws("out", P, self._W))
        out += p["b_out"]
        np.tanh(out, out=out)
        dout = ws("dout", P, self._W)
        output = Output(dout, grads["W_embed"].T, grads["b_vocab"])
        loss = score(out, p["W_embed"].T, p["b_vocab"], targets, output, ws)
        # out = tanh(hz W_out + b_out)
        out *= out
        np.subtract(1, out, out=out)
        dout *= out
        np.matmul(hz.T, dout, out=grads["W_out"])
        np.sum(dout, axis=0, out=grads["b_out"])
        dhz = np.matmul(dout, p["W_out"].T, out=ws("dhz", P, R))
        if mask is not None:
            dhz *= mask
        return loss, dhz

    def _unroll_backward(
        self, packed: PackedCaptions, u: Unrolled, dhz: Float[Array, "P R"]
    ) -> Gradients:
        """Backpropagation through time and through attention; fills dw_fit."""
        p, ws, H, A, E = self._params, self._workspace, self._H, self._A, self._E
        P, N, L = len(packed.targets), packed.steps[0].stop, u.attention.shape[1]
        back = Gradients(
            dfrom_h=u.from_h,
            dcontext=ws("dcontext", P, E),
            drow_keys=ws("drow_keys", N, L, A),
            dprev_h=ws("dprev_h", N, H),
            dc=ws("dc", N, H),
        )
        back.drow_keys[:] = 0
        back.dc[:] = 0
        of_h_T = np.ascontiguousarray(u.of_h.T)
        WzT = np.ascontiguousarray(p["Wx"][self._W :].T)
        self._grads["w_fit"][:] = 0
        later = 0  # rows that continue in the next step
        for rows in reversed(packed.steps):
            n = rows.stop - rows.start
            dh, dz, dfrom_h = dhz[rows, :H], dhz[rows, H:], back.dfrom_h[rows]
            dquery, gate, da = dfrom_h[:, :A], dfrom_h[:, A : A + E], dfrom_h[:, A + E :]
            dh[:later] += back.dprev_h[:later]
            later = n
            backpropagate(
                self._gates(da), dh, back.dc[:n], u.prev_c[rows], u.h[rows], u.tanh_c[rows], ws
            )
            # a = inputs + prev_h Wh + z Wz;  z = gate * context;  gate = sigmoid(...)
            dz += da @ WzT
            dcontext = np.multiply(dz, gate, out=back.dcontext[rows])
            gate[:] = dz * u.context[rows] * gate * (1 - gate)
            # context = attention . values;  attention = softmax(e)
            attention = u.attention[rows]
            de = np.matmul(u.row_values[:n], dcontext[:, :, None])[:, :, 0]
            de -= (de * attention).sum(axis=1, keepdims=True)
            de *= attention
            # e = fit . w_fit;  fit = tanh(keys + query)
            fit = u.fit[rows]
            self._grads["w_fit"] += de.reshape(-1) @ fit.reshape(-1, A)
            fit *= fit
            np.subtract(1, fit, out=fit)
            fit *= p["w_fit"]
            fit *= de[:, :, None]
            back.drow_keys[:n] += fit
            np.sum(fit, axis=1, out=dquery)
            np.matmul(dfrom_h, of_h_T, out=back.dprev_h[:n])
        return back

    def _sums_backward(
        self,
        packed: PackedCaptions,
        u: Unrolled,
        back: Gradients,
        x: Float[Array, "U W"],
        mask: Float[Array, "U W"] | None,
    ) -> None:
        """The gradients of query, gate, cell and word vectors: sums over all rows at once."""
        p, grads, ws = self._params, self._grads, self._workspace
        H, A, E, W = self._H, self._A, self._E, self._W
        dof_h = np.matmul(u.prev_h.T, back.dfrom_h, out=ws("dof_h", H, A + E + 4 * H))
        total = back.dfrom_h.sum(axis=0)
        for weights, bias, columns in (
            ("W_query", "b_query", slice(0, A)),
            ("W_gate", "b_gate", slice(A, A + E)),
            ("Wh", "b", slice(A + E, None)),
        ):
            grads[weights][:], grads[bias][:] = dof_h[:, columns], total[columns]
        da = back.dfrom_h[:, A + E :]
        np.matmul(u.z.T, da, out=grads["Wx"][W:])
        dinputs = sum_rows(da, packed.lookup, len(packed.tokens))
        np.matmul(x.T, dinputs, out=grads["Wx"][:W])
        dx = dinputs @ p["Wx"][:W].T
        if mask is not None:
            dx *= mask
        grads["W_embed"][packed.tokens] += dx  # added to the gradient of the tied output weights
