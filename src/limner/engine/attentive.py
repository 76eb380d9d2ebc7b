"""The loss and the gradients of `AttentionRNN`, with nothing done that need not be.

    pack     captions -> rows without padding, time step by time step      packing.py
    place    features -> v, keys, h_0, c_0, once for every picture
    embed    the distinct words' vectors, times Wx, plus b
    recur    look, then the cell, over the packed rows
    score    [h, z] -> out -> logits -> the loss, and back                  scoring.py
    recur    backpropagation through time and through every look
    sums     over all rows at once: the weights' gradients, and what the places get

A picture's captions share its places: only they are projected, and what their looks send back is
summed by picture. What the state is multiplied with (query, gate, cell) stands in one matrix.

Shapes: N captions of M pictures, T words, P packed rows, U distinct words, L places, D features,
E what is kept of a place, A attention, W word vector, H hidden, K = A + E + 4H, R = H + E,
V vocabulary.
"""

from dataclasses import dataclass

import numpy as np

from limner.arrays import Array, Float, Int
from limner.engine.base import Batch
from limner.engine.packing import PackedCaptions, pack
from limner.engine.scoring import score
from limner.models.attention import AttentionRNN
from limner.workspace import Workspace


@dataclass(frozen=True)
class Places:
    """Of every picture: what is seen, the keys, the mean over places, the first states."""

    seen: Float[Array, "M L E"]
    keys: Float[Array, "M L A"]
    mean: Float[Array, "M E"]
    h0: Float[Array, "M H"]
    c0: Float[Array, "M H"]


@dataclass(frozen=True)
class Walk:
    """What the forward pass over the packed rows leaves behind."""

    of_h: Float[Array, "H K"]
    row_seen: Float[Array, "N L E"]
    prev_h: Float[Array, "P H"]
    prev_c: Float[Array, "P H"]
    fit: Float[Array, "P L A"]
    look: Float[Array, "P L"]
    context: Float[Array, "P E"]
    gate: Float[Array, "P E"]
    z: Float[Array, "P E"]
    ifog: Float[Array, "P 4*H"]
    tanh_c: Float[Array, "P H"]
    h: Float[Array, "P H"]


@dataclass(frozen=True)
class WalkBack:
    """What the backward pass over the packed rows leaves behind."""

    dfrom_h: Float[Array, "P K"]
    dcontext: Float[Array, "P E"]
    drow_keys: Float[Array, "N L A"]
    dprev_h: Float[Array, "N H"]
    dc: Float[Array, "N H"]


class AttentivePass:
    """Forward and backward through an `AttentionRNN`.

    Args:
        model: for its shape.
        params: the model's parameters.
        grads: arrays of the same names and shapes, for the gradients.
    """

    def __init__(
        self, model: AttentionRNN, params: dict[str, Array], grads: dict[str, Array]
    ) -> None:
        self._params = params
        self._grads = grads
        self._null = model.null
        self._workspace = Workspace(model.dtype)
        V, self._W = params["W_embed"].shape
        self._V, self._H = V, len(params["Wh"])
        self._A, self._E = params["w_fit"].size, params["b_gate"].size

    def __call__(self, batch: Batch) -> float:
        """Fill the gradients; returns the loss."""
        packed = pack(batch.captions, self._null, self._V, batch.inputs)
        if not packed.steps:  # nothing but <NULL> is expected
            for grad in self._grads.values():
                grad[:] = 0
            return 0.0
        pictures = batch.image_idxs[packed.order]
        places = self._see(batch)
        x, inputs = self._embed(packed, batch)
        walk = self._walk(packed, pictures, places, inputs)
        loss, dshown = self._score(walk, packed, batch)
        back = self._walk_back(packed, walk, dshown)
        self._sums(packed, walk, back, x, batch)
        self._see_back(packed, pictures, places, walk, back, batch)
        return loss

    def _see(self, batch: Batch) -> Places:
        """What is at the places of every picture, and the states that it gives."""
        p, ws = self._params, self._workspace
        M, L, D = batch.features.shape
        E, A = self._E, self._A
        seen = np.matmul(batch.features.reshape(-1, D), p["W_place"], out=ws("seen", M * L, E))
        seen += p["b_place"]
        np.maximum(seen, 0, out=seen)
        seen = seen.reshape(M, L, E)
        if batch.masks:
            seen *= batch.masks.features[:, None]
        keys = np.matmul(seen, p["W_key"], out=ws("keys", M, L, A))
        mean = seen.mean(axis=1)
        h0 = np.tanh(mean @ p["W_h0"] + p["b_h0"])
        c0 = np.tanh(mean @ p["W_c0"] + p["b_c0"])
        return Places(seen, keys, mean, h0, c0)

    def _embed(self, packed: PackedCaptions, batch: Batch) -> tuple[Array, Array]:
        """The distinct words' vectors (U, W), and what they give the cell (U, 4H)."""
        p = self._params
        x = np.take(p["W_embed"], packed.words, axis=0)
        if batch.masks:
            x *= batch.masks.embedding[packed.words]
        inputs = x @ p["Wx"][: self._W]
        inputs += p["b"]
        return x, inputs

    def _walk(
        self,
        packed: PackedCaptions,
        pictures: Int[Array, " N"],
        places: Places,
        inputs: Float[Array, "U 4*H"],
    ) -> Walk:
        """Look, then the cell, word after word."""
        p, ws, H, A, E = self._params, self._workspace, self._H, self._A, self._E
        P, N, L = len(packed.targets), len(pictures), places.seen.shape[1]
        K = A + E + 4 * H
        of_h = np.concatenate([p["W_query"], p["W_gate"], p["Wh"]], axis=1, out=ws("of_h", H, K))
        bias = np.concatenate([p["b_query"], p["b_gate"]])
        Wz = p["Wx"][self._W :]
        w = Walk(
            of_h=of_h,
            row_seen=ws("row_seen", N, L, E),
            prev_h=ws("prev_h", P, H),
            prev_c=ws("prev_c", P, H),
            fit=ws("fit", P, L, A),
            look=ws("look", P, L),
            context=ws("context", P, E),
            gate=ws("gate", P, E),
            z=ws("z", P, E),
            ifog=ws("ifog", P, 4 * H),
            tanh_c=ws("tanh_c", P, H),
            h=ws("h", P, H),
        )
        row_keys = ws("row_keys", N, L, A)
        np.take(places.seen, pictures, axis=0, out=w.row_seen, mode="clip")
        np.take(places.keys, pictures, axis=0, out=row_keys, mode="clip")
        first = packed.steps[0]
        w.prev_h[first], w.prev_c[first] = places.h0[pictures], places.c0[pictures]
        for t, rows in enumerate(packed.steps):
            n = rows.stop - rows.start
            from_h = np.matmul(w.prev_h[rows], of_h, out=ws("from_h", n, K))
            from_h[:, : A + E] += bias
            # e = tanh(keys + query) . w_fit;  look = softmax(e);  context = look . seen
            np.add(row_keys[:n], from_h[:, None, :A], out=w.fit[rows])
            np.tanh(w.fit[rows], out=w.fit[rows])
            e = np.matmul(w.fit[rows], p["w_fit"], out=w.look[rows])
            e -= e.max(axis=1, keepdims=True)
            np.exp(e, out=e)
            e /= e.sum(axis=1, keepdims=True)
            np.matmul(e[:, None], w.row_seen[:n], out=w.context[rows][:, None])
            # z = gate * context
            gate = np.multiply(from_h[:, A : A + E], 0.5, out=w.gate[rows])
            _sigmoid_of_half(gate)
            np.multiply(gate, w.context[rows], out=w.z[rows])
            # a = inputs + prev_h Wh + z Wz
            a = np.matmul(w.z[rows], Wz, out=w.ifog[rows])
            a += from_h[:, A + E :]
            a += inputs[packed.lookup[rows]]
            c = self._cell(a, w.prev_c[rows], w.tanh_c[rows], w.h[rows])
            if t + 1 < len(packed.steps):
                later = packed.steps[t + 1]
                w.prev_h[later] = w.h[rows][: later.stop - later.start]
                w.prev_c[later] = c[: later.stop - later.start]
        return w

    def _cell(self, a: Array, prev_c: Array, tanh_c: Array, h: Array) -> Array:
        """The LSTM's cell: a becomes its gates, tanh_c and h are filled; returns c."""
        H = self._H
        i, f, o, g = (a[:, gate * H : (gate + 1) * H] for gate in range(4))
        ifo = a[:, : 3 * H]
        ifo *= 0.5
        _sigmoid_of_half(ifo)
        np.tanh(g, out=g)
        c: Array = f * prev_c
        c += i * g
        np.tanh(c, out=tanh_c)
        np.multiply(o, tanh_c, out=h)
        return c

    def _score(
        self, walk: Walk, packed: PackedCaptions, batch: Batch
    ) -> tuple[float, Float[Array, "P R"]]:
        """The loss and the gradient of [h, z]; fills those of the output layer."""
        p, grads, ws, H = self._params, self._grads, self._workspace, self._H
        P, R = len(packed.targets), H + self._E
        shown = ws("shown", P, R)
        shown[:, :H], shown[:, H:] = walk.h, walk.z
        kept = None if batch.masks is None else batch.masks.output[packed.caption]
        if kept is not None:
            shown *= kept
        out = np.matmul(shown, p["W_out"], out=ws("out", P, self._W))
        out += p["b_out"]
        np.tanh(out, out=out)
        dout = ws("dout", P, self._W)
        loss = score(
            out,
            p["W_embed"].T,
            p["b_vocab"],
            packed.targets,
            batch.counts(packed.caption, packed.counted),
            len(batch.captions),
            batch.smoothing,
            batch.others(packed.caption, packed.place),
            dout,
            grads["W_embed"].T,
            grads["b_vocab"],
            ws,
        )
        # out = tanh(shown W_out + b_out)
        out *= out
        np.subtract(1, out, out=out)
        dout *= out
        np.matmul(shown.T, dout, out=grads["W_out"])
        np.sum(dout, axis=0, out=grads["b_out"])
        dshown = np.matmul(dout, p["W_out"].T, out=ws("dshown", P, R))
        if kept is not None:
            dshown *= kept
        return loss, dshown

    def _walk_back(self, packed: PackedCaptions, w: Walk, dshown: Float[Array, "P R"]) -> WalkBack:
        """Backpropagation through time and through every look; fills dw_fit."""
        p, ws, H, A, E = self._params, self._workspace, self._H, self._A, self._E
        P, N, L = len(packed.targets), packed.steps[0].stop, w.look.shape[1]
        back = WalkBack(
            dfrom_h=ws("dfrom_h", P, A + E + 4 * H),
            dcontext=ws("dcontext", P, E),
            drow_keys=ws("drow_keys", N, L, A),
            dprev_h=ws("dprev_h", N, H),
            dc=ws("dc", N, H),
        )
        back.drow_keys[:] = 0
        back.dc[:] = 0
        of_h_T = np.ascontiguousarray(w.of_h.T)
        WzT = np.ascontiguousarray(p["Wx"][self._W :].T)
        self._grads["w_fit"][:] = 0
        later = 0  # rows that the step after this one has
        for rows in reversed(packed.steps):
            n = rows.stop - rows.start
            dh, dz, da = dshown[rows, :H], dshown[rows, H:], back.dfrom_h[rows, A + E :]
            dh[:later] += back.dprev_h[:later]
            later = n
            self._cell_back(w, rows, dh, back.dc[:n], da)
            # a = inputs + prev_h Wh + z Wz;  z = gate * context
            dz += da @ WzT
            gate = w.gate[rows]
            back.dfrom_h[rows, A : A + E] = dz * w.context[rows] * gate * (1 - gate)
            dcontext = np.multiply(dz, gate, out=back.dcontext[rows])
            # context = look . seen;  look = softmax(e)
            look = w.look[rows]
            de = np.matmul(w.row_seen[:n], dcontext[:, :, None])[:, :, 0]
            de -= (de * look).sum(axis=1, keepdims=True)
            de *= look
            # e = fit . w_fit;  fit = tanh(keys + query)
            fit = w.fit[rows]
            self._grads["w_fit"] += de.reshape(-1) @ fit.reshape(-1, A)
            fit *= fit
            np.subtract(1, fit, out=fit)
            fit *= p["w_fit"]
            fit *= de[:, :, None]
            back.drow_keys[:n] += fit
            np.sum(fit, axis=1, out=back.dfrom_h[rows, :A])
            np.matmul(back.dfrom_h[rows], of_h_T, out=back.dprev_h[:n])
        return back

    def _cell_back(self, w: Walk, rows: slice, dh: Array, dc: Array, da: Array) -> None:
        """da is filled; dc becomes that of the step before."""
        H = self._H
        i, f, o, g = (w.ifog[rows, gate * H : (gate + 1) * H] for gate in range(4))
        tanh_c = w.tanh_c[rows]
        # h = o tanh(c)
        da[:, 2 * H : 3 * H] = dh * tanh_c * o * (1 - o)
        dc += dh * o * (1 - tanh_c * tanh_c)
        # c = f prev_c + i g
        da[:, :H] = dc * g * i * (1 - i)
        da[:, H : 2 * H] = dc * w.prev_c[rows] * f * (1 - f)
        da[:, 3 * H :] = dc * i * (1 - g * g)
        dc *= f

    def _sums(
        self,
        packed: PackedCaptions,
        walk: Walk,
        back: WalkBack,
        x: Float[Array, "U W"],
        batch: Batch,
    ) -> None:
        """The gradients of query, gate, cell and word vectors: sums over all rows at once."""
        p, grads, ws = self._params, self._grads, self._workspace
        H, A, E, W = self._H, self._A, self._E, self._W
        dof_h = np.matmul(walk.prev_h.T, back.dfrom_h, out=ws("dof_h", H, A + E + 4 * H))
        total = back.dfrom_h.sum(axis=0)
        for suffix, columns in (
            ("query", slice(0, A)),
            ("gate", slice(A, A + E)),
        ):
            grads[f"W_{suffix}"][:], grads[f"b_{suffix}"][:] = dof_h[:, columns], total[columns]
        grads["Wh"][:], grads["b"][:] = dof_h[:, A + E :], total[A + E :]
        da = back.dfrom_h[:, A + E :]
        np.matmul(walk.z.T, da, out=grads["Wx"][W:])
        dinputs = _sum_rows(da, packed.lookup, len(packed.words))
        np.matmul(x.T, dinputs, out=grads["Wx"][:W])
        dx = dinputs @ p["Wx"][:W].T
        if batch.masks:
            dx *= batch.masks.embedding[packed.words]
        grads["W_embed"][packed.words] += dx  # to what the scores have put there

    def _see_back(
        self,
        packed: PackedCaptions,
        pictures: Int[Array, " N"],
        places: Places,
        walk: Walk,
        back: WalkBack,
        batch: Batch,
    ) -> None:
        """Back to the places: what the looks and the first states send there."""
        p, grads = self._params, self._grads
        M, L, D = batch.features.shape
        seen, mean = places.seen, places.mean
        dseen = self._looks_by_picture(packed, batch.image_idxs, walk.look, back.dcontext, M)
        dkeys = np.zeros((M, L, self._A), seen.dtype)
        np.add.at(dkeys, pictures, back.drow_keys)
        dh0 = _sum_rows(back.dprev_h, pictures, M) * (1 - places.h0**2)
        dc0 = _sum_rows(back.dc, pictures, M) * (1 - places.c0**2)
        np.matmul(mean.T, dh0, out=grads["W_h0"])
        np.matmul(mean.T, dc0, out=grads["W_c0"])
        grads["b_h0"][:], grads["b_c0"][:] = dh0.sum(axis=0), dc0.sum(axis=0)
        np.matmul(seen.reshape(-1, self._E).T, dkeys.reshape(-1, self._A), out=grads["W_key"])
        dseen += dkeys @ p["W_key"].T
        dseen += ((dh0 @ p["W_h0"].T + dc0 @ p["W_c0"].T) / L)[:, None]
        dseen *= seen > 0
        if batch.masks:
            dseen *= batch.masks.features[:, None]
        drows = dseen.reshape(-1, self._E)
        np.matmul(batch.features.reshape(-1, D).T, drows, out=grads["W_place"])
        np.sum(drows, axis=0, out=grads["b_place"])

    def _looks_by_picture(
        self,
        packed: PackedCaptions,
        image_idxs: Int[Array, " N"],
        look: Float[Array, "P L"],
        dcontext: Float[Array, "P E"],
        num_images: int,
    ) -> Float[Array, "M L E"]:
        """What the looks send back to the places: for every picture one product."""
        picture = image_idxs[packed.caption]
        by_picture = np.argsort(picture, kind="stable")
        ends = np.cumsum(np.bincount(picture, minlength=num_images)).tolist()
        look, dcontext = look[by_picture], dcontext[by_picture]
        dseen = self._workspace("dseen", num_images, look.shape[1], dcontext.shape[1])
        for picture, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
            np.matmul(look[start:end].T, dcontext[start:end], out=dseen[picture])
        return dseen


def _sigmoid_of_half(a: Array) -> None:
    """In place, of twice a: sigmoid(2 a) = tanh(a) / 2 + 1/2."""
    np.tanh(a, out=a)
    a *= 0.5
    a += 0.5


def _sum_rows(rows: Float[Array, "P K"], lookup: Int[Array, " P"], size: int) -> Array:
    """(size, K): the sums of the rows where lookup is 0, 1, ..."""
    order = np.argsort(lookup, kind="stable")
    counts = np.bincount(lookup, minlength=size)
    out = np.zeros((size, rows.shape[1]), rows.dtype)
    starts = (np.cumsum(counts) - counts)[counts > 0]
    out[counts > 0] = np.add.reduceat(rows[order], starts, axis=0)
    return out
