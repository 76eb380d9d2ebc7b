"""The decoding step of `AttentionRNN`, prepared for many calls.

It gives what `AttentionRNN.step` gives. What a word puts into the cell is computed once, when the
word is first said; what the state is multiplied with, for the query, the gate and the cell, stands
in one matrix.

Shapes: N rows (captions or beams) about M pictures, V vocabulary, W word vector, H hidden,
L places, E what is seen of a place, A attention.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from limner.arrays import Array, Float, Int
from limner.decoding import State, Step


@dataclass(frozen=True)
class SharedPlaces:
    """The places of M pictures, and which of them each of N rows is about: one copy for all.

    As a part of a state it is indexed by rows, which copies no places.

    Attributes:
        seen: (M, L, E) what can be seen at every place.
        keys: (M, L, A) what every place offers.
        picture: (N,) the picture of every row.
    """

    seen: Float[Array, "M L E"]
    keys: Float[Array, "M L A"]
    picture: Int[Array, " N"]

    def __getitem__(self, rows: Array) -> "SharedPlaces":
        return SharedPlaces(self.seen, self.keys, self.picture[rows])

    def look(self, query: Float[Array, "N A"], w: Float[Array, " A"]) -> Float[Array, "N E"]:
        """The context of every row, as `attention_forward`: picture by picture, in the cache."""
        context = np.empty((len(query), self.seen.shape[2]), self.seen.dtype)
        changes = np.flatnonzero(np.diff(self.picture)) + 1
        ends = [*changes.tolist(), len(query)]
        for start, end in zip([0, *ends], ends, strict=False):
            if start == end:
                continue
            picture = self.picture[start]
            fit = self.keys[picture] + query[start:end, None]
            np.tanh(fit, out=fit)
            e = fit @ w
            e -= e.max(axis=1, keepdims=True)
            np.exp(e, out=e)
            e /= e.sum(axis=1, keepdims=True)
            np.matmul(e, self.seen[picture], out=context[start:end])
        return context


def looking_stepper(
    params: Mapping[str, Array], word_vectors: Float[Array, "V W"] | None = None
) -> Step:
    """A step function `(words (N,), state) -> (scores (N, V), state)` with these parameters.

    Args:
        params: of `AttentionRNN`; must not change while the step is in use.
        word_vectors: take the place of W_embed where words are read, not where they are scored.
    """
    W_embed, W_out = params["W_embed"], params["W_out"]
    V, W = W_embed.shape
    H, A, E = len(params["Wh"]), params["w_fit"].size, params["b_gate"].size
    Wx, Wz = params["Wx"][:W], params["Wx"][W:]
    of_h = np.concatenate([params["W_query"], params["W_gate"], params["Wh"]], axis=1)
    inputs = np.empty((V, 4 * H), W_embed.dtype)
    known = np.zeros(V, dtype=bool)
    W_vocab = W_embed.T
    x = W_embed if word_vectors is None else word_vectors

    def step(words: Int[Array, " N"], state: State) -> tuple[Float[Array, "N V"], State]:
        new = np.unique(words[~known[words]])
        if len(new):
            inputs[new] = x[new] @ Wx + params["b"]
            known[new] = True
        h, c, places = state
        query, wanted, a = np.split(h @ of_h, [A, A + E], axis=1)
        z = places.look(query + params["b_query"], params["w_fit"])
        z *= _sigmoid(wanted + params["b_gate"])
        a = a + inputs[words]
        a += z @ Wz
        ifo = _sigmoid(a[:, : 3 * H])
        i, f, o = ifo[:, :H], ifo[:, H : 2 * H], ifo[:, 2 * H :]
        c = f * c + i * np.tanh(a[:, 3 * H :])
        h = o * np.tanh(c)
        out = np.tanh(h @ W_out[:H] + z @ W_out[H:] + params["b_out"])
        scores = out @ W_vocab
        scores += params["b_vocab"]
        return scores, (h, c, places)

    return step


def _sigmoid(a: Array) -> Array:
    """Of a, which is overwritten: sigmoid(a) = tanh(a / 2) / 2 + 1/2."""
    a *= 0.5
    np.tanh(a, out=a)
    a *= 0.5
    a += 0.5
    return a
