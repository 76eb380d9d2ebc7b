"""AttentionRNN: an LSTM that looks at the places of a picture anew before every word.

    v         = relu(features W_place + b_place)       what is at each of the L places
    keys      = v W_key                                what each place offers
    h0, c0    = tanh(mean of v over places, W_h0, W_c0)
    and for every word:
    query     = h_{t-1} W_query + b_query              what the network looks for
    context   = attention(v, keys, query)              what it sees
    gate      = sigmoid(h_{t-1} W_gate + b_gate)       how much it wants to see at all
    z         = gate * context
    h_t, c_t  = lstm([x_t, z], h_{t-1}, c_{t-1})
    out       = tanh([h_t, z] W_out + b_out)
    scores    = out W_embed^T + b_vocab                tied to the word vectors

Dropout, in training, stands on v, on the word vectors and on [h_t, z].

Shapes: N captions of M pictures, T words, L places, D features of a place, E what is kept of them,
A attention, W word vector, H hidden, R = H + E, V vocabulary.
Source: K. Xu et al., "Show, attend and tell: neural image caption generation with visual
attention", ICML 2015: soft attention with its gate (section 4.2.1); the output layer is the
paper's, with a tanh and tied weights.
"""

from typing import Any, ClassVar

import numpy as np

from limner.arrays import Array, Float, Int
from limner.decoding import State, Step
from limner.layers import (
    Shared,
    affine_backward,
    affine_forward,
    attention_backward,
    attention_forward,
    lstm_step_backward,
    lstm_step_forward,
    sigmoid,
    temporal_affine_backward,
    temporal_affine_forward,
    temporal_softmax_loss,
    word_embedding_backward,
    word_embedding_forward,
)
from limner.models.base import CaptioningModel, Dropout, Masks, draw_mask
from limner.models.looking import SharedPlaces, looking_stepper


class AttentionRNN(CaptioningModel):
    """A captioning model with soft attention over a grid of features.

    Args:
        word_to_idx: the vocabulary; `<NULL>` must be in it, `<START>` and `<END>` for sampling.
        input_dim: D.
        wordvec_dim: W.
        hidden_dim: H.
        attention_dim: A.
        place_dim: E.
        dtype: float32 or float64.
        rng: where the parameters are drawn from; None takes NumPy's global state.
        forget_bias: what the LSTM's forget gates begin with.

    Attributes:
        params: W_embed (V, W), W_place (D, E), b_place (E,), W_key (E, A), W_query (H, A),
            b_query (A,), w_fit (A,), W_gate (H, E), b_gate (E,), W_h0 (E, H), b_h0 (H,),
            W_c0 (E, H), b_c0 (H,), Wx (W + E, 4H), Wh (H, 4H), b (4H,), W_out (H + E, W),
            b_out (W,), b_vocab (V,).

    Raises:
        ValueError: for another dtype, or a vocabulary without `<NULL>`.

    >>> import numpy as np
    >>> words = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3}
    >>> model = AttentionRNN(words, 8, 5, 6, 7, 4, rng=np.random.default_rng(0))
    >>> model.sample(np.ones((2, 49, 8)), max_length=5).shape
    (2, 5)
    """

    kind: ClassVar[str] = "attention"
    reads_grid = True

    def __init__(
        self,
        word_to_idx: dict[str, int],
        input_dim: int = 1280,
        wordvec_dim: int = 512,
        hidden_dim: int = 512,
        attention_dim: int = 256,
        place_dim: int = 512,
        dtype: type[np.floating] = np.float32,
        rng: np.random.Generator | None = None,
        *,
        forget_bias: float = 0.0,
    ) -> None:
        super().__init__(word_to_idx, input_dim, dtype)
        V, D, W, H = len(word_to_idx), input_dim, wordvec_dim, hidden_dim
        A, E = attention_dim, place_dim
        normal = np.random.standard_normal if rng is None else rng.standard_normal

        def weights(rows: int, columns: int) -> Array:
            drawn: Array = normal((rows, columns)) / np.sqrt(rows)
            return drawn

        params = {
            "W_embed": normal((V, W)) / np.sqrt(W),
            "W_place": weights(D, E),
            "b_place": np.zeros(E),
            "W_key": weights(E, A),
            "W_query": weights(H, A),
            "b_query": np.zeros(A),
            "w_fit": normal(A) / np.sqrt(A),
            "W_gate": weights(H, E),
            "b_gate": np.zeros(E),
            "W_h0": weights(E, H),
            "b_h0": np.zeros(H),
            "W_c0": weights(E, H),
            "b_c0": np.zeros(H),
            "Wx": weights(W + E, 4 * H),
            "Wh": weights(H, 4 * H),
            "b": np.zeros(4 * H),
            "W_out": weights(H + E, W),
            "b_out": np.zeros(W),
            "b_vocab": np.zeros(V),
        }
        params["b"][H : 2 * H] = forget_bias
        self.params = {name: param.astype(dtype) for name, param in params.items()}

    @property
    def title(self) -> str:
        """LSTM with attention."""
        return "LSTM with attention"

    @property
    def config(self) -> dict[str, Any]:
        """The arguments, less the vocabulary, that make a model of this shape."""
        p = self.params
        return {
            "input_dim": p["W_place"].shape[0],
            "wordvec_dim": p["W_embed"].shape[1],
            "hidden_dim": p["Wh"].shape[0],
            "attention_dim": p["w_fit"].size,
            "place_dim": p["W_place"].shape[1],
        }

    def loss(
        self,
        features: Float[Array, "M L D"],
        captions: Int[Array, "N T"],
        image_idxs: Int[Array, " N"] | None = None,
        weights: Float[Array, " N"] | None = None,
        smoothing: float = 0.0,
        masks: Masks | None = None,
        inputs: Int[Array, "N T-1"] | None = None,
        shared: Shared | None = None,
    ) -> tuple[np.floating, dict[str, Array]]:
        """See `CaptioningModel.loss`; features are (M, L, D)."""
        features, image_idxs = self.checked_batch(features, captions, image_idxs, inputs, shared)
        if masks is None:
            masks = self.draw_masks(Dropout(), len(features), len(captions))
        p = self.params
        captions_in, captions_out = captions[:, :-1], captions[:, 1:]
        if inputs is not None:
            captions_in = inputs
        counts = (captions_out != self.null).astype(self.dtype)
        if weights is not None:
            counts *= weights[:, None]

        seen, keys, h0, c0, place_cache = self._places_forward(features, masks)
        x, embed_cache = word_embedding_forward(captions_in, p["W_embed"] * masks.embedding)
        shown, caches = self._words_forward(
            x, seen[image_idxs], keys[image_idxs], h0[image_idxs], c0[image_idxs]
        )
        out, out_cache = temporal_affine_forward(
            shown * masks.output[:, None], p["W_out"], p["b_out"]
        )
        out = np.tanh(out)
        scores, vocab_cache = temporal_affine_forward(out, p["W_embed"].T, p["b_vocab"])
        loss, dscores = temporal_softmax_loss(
            scores, captions_out, counts, smoothing=smoothing, shared=shared
        )

        grads = {name: np.zeros_like(param) for name, param in p.items()}
        dout, dW_vocab, grads["b_vocab"] = temporal_affine_backward(dscores, vocab_cache)
        dout = dout * (1 - out**2)
        dshown, grads["W_out"], grads["b_out"] = temporal_affine_backward(dout, out_cache)
        dx, *to_places = self._words_backward(dshown * masks.output[:, None], caches, grads)
        dW_embed = word_embedding_backward(dx, embed_cache) * masks.embedding
        grads["W_embed"] = dW_embed + dW_vocab.T
        M = len(features)
        dseen, dkeys, dh0, dc0 = (_sum_by_picture(d, image_idxs, M) for d in to_places)
        self._places_backward(dseen, dkeys, dh0, dc0, place_cache, grads)
        return loss, grads

    def _places_forward(
        self, features: Float[Array, "M L D"], masks: Masks
    ) -> tuple[Array, Array, Array, Array, tuple[Any, ...]]:
        """v (M, L, E), keys (M, L, A), h0 and c0 (M, H), and a cache."""
        p = self.params
        rows, place_cache = temporal_affine_forward(features, p["W_place"], p["b_place"])
        seen = np.maximum(rows, 0) * masks.features[:, None]
        mean = seen.mean(axis=1)
        h0, h0_cache = affine_forward(mean, p["W_h0"], p["b_h0"])
        c0, c0_cache = affine_forward(mean, p["W_c0"], p["b_c0"])
        h0, c0 = np.tanh(h0), np.tanh(c0)
        cache = rows, seen, h0, c0, masks, place_cache, h0_cache, c0_cache
        return seen, seen @ p["W_key"], h0, c0, cache

    def _places_backward(
        self,
        dseen: Float[Array, "M L E"],
        dkeys: Float[Array, "M L A"],
        dh0: Float[Array, "M H"],
        dc0: Float[Array, "M H"],
        cache: tuple[Any, ...],
        grads: dict[str, Array],
    ) -> None:
        rows, seen, h0, c0, masks, place_cache, h0_cache, c0_cache = cache
        dmean_h, grads["W_h0"], grads["b_h0"] = affine_backward(dh0 * (1 - h0**2), h0_cache)
        dmean_c, grads["W_c0"], grads["b_c0"] = affine_backward(dc0 * (1 - c0**2), c0_cache)
        grads["W_key"] = np.tensordot(seen, dkeys, axes=([0, 1], [0, 1]))
        dseen = dseen + dkeys @ self.params["W_key"].T
        dseen += ((dmean_h + dmean_c) / seen.shape[1])[:, None]
        drows = dseen * masks.features[:, None] * (rows > 0)
        _, grads["W_place"], grads["b_place"] = temporal_affine_backward(drows, place_cache)

    def _words_forward(
        self,
        x: Float[Array, "N T W"],
        seen: Float[Array, "N L E"],
        keys: Float[Array, "N L A"],
        h: Float[Array, "N H"],
        c: Float[Array, "N H"],
    ) -> tuple[Float[Array, "N T R"], list[tuple[Any, ...]]]:
        """[h, z] after every word, and the steps' caches."""
        p = self.params
        shown, caches = [], []
        for t in range(x.shape[1]):
            query, query_cache = affine_forward(h, p["W_query"], p["b_query"])
            context, _, look_cache = attention_forward(seen, keys, query, p["w_fit"])
            wanted, gate_cache = affine_forward(h, p["W_gate"], p["b_gate"])
            gate = sigmoid(wanted)
            z = gate * context
            read = np.concatenate([x[:, t], z], axis=1)
            h, c, cell_cache = lstm_step_forward(read, h, c, p["Wx"], p["Wh"], p["b"])
            shown.append(np.concatenate([h, z], axis=1))
            caches.append((query_cache, look_cache, gate_cache, gate, context, cell_cache))
        return np.stack(shown, axis=1), caches

    def _words_backward(
        self,
        dshown: Float[Array, "N T R"],
        caches: list[tuple[Any, ...]],
        grads: dict[str, Array],
    ) -> tuple[Array, Array, Array, Array, Array]:
        """Backpropagation through time and every look: dx, dseen, dkeys, dh0, dc0."""
        W, H = self.params["W_embed"].shape[1], len(self.params["Wh"])
        dx: list[Array] = []
        dh = dc = np.zeros_like(dshown[:, 0, :H])
        dseen = dkeys = np.zeros(1, self.dtype)
        for t in reversed(range(dshown.shape[1])):
            query_cache, look_cache, gate_cache, gate, context, cell_cache = caches[t]
            dread, dh_cell, dc, dWx, dWh, db = lstm_step_backward(
                dshown[:, t, :H] + dh, dc, cell_cache
            )
            dx.insert(0, dread[:, :W])
            dz = dread[:, W:] + dshown[:, t, H:]
            dwanted = dz * context * gate * (1 - gate)
            dh_gate, dW_gate, db_gate = affine_backward(dwanted, gate_cache)
            dvalues, dkeys_t, dquery, dw_fit = attention_backward(dz * gate, look_cache)
            dh_query, dW_query, db_query = affine_backward(dquery, query_cache)
            dh = dh_cell + dh_gate + dh_query
            dseen, dkeys = dseen + dvalues, dkeys + dkeys_t
            names = ("Wx", "Wh", "b", "w_fit", "W_gate", "b_gate", "W_query", "b_query")
            found = (dWx, dWh, db, dw_fit, dW_gate, db_gate, dW_query, db_query)
            for name, grad in zip(names, found, strict=True):
                grads[name] += grad
        return np.stack(dx, axis=1), dseen, dkeys, dh, dc

    def draw_masks(
        self,
        dropout: Dropout,
        num_images: int,
        num_captions: int,
        rng: np.random.Generator | None = None,
    ) -> Masks:
        """See `CaptioningModel.draw_masks`; K is E, R is H + E."""
        E, R = self.params["b_place"].size, self.params["W_out"].shape[0]
        return Masks(
            draw_mask(rng, dropout.embedding, self.params["W_embed"].shape, self.dtype),
            draw_mask(rng, dropout.features, (num_images, E), self.dtype),
            draw_mask(rng, dropout.output, (num_captions, R), self.dtype),
        )

    def initial_state(self, features: Float[Array, "N L D"]) -> State:
        """h (N, H), c (N, H), and the places."""
        features = self.standardise(features)
        masks = self.draw_masks(Dropout(), len(features), 0)
        seen, keys, h, c, _ = self._places_forward(features, masks)
        return h, c, SharedPlaces(seen, keys, np.arange(len(features)))

    def look(self, state: State) -> Float[Array, "N L"]:
        """How much of the look before the next word goes to each place; adds up to 1."""
        h, _, places = state
        query = h @ self.params["W_query"] + self.params["b_query"]
        _, weights, _ = self._attend(places, query)
        return weights

    def _attend(self, places: SharedPlaces, query: Float[Array, "N A"]) -> tuple[Array, Array, Any]:
        seen, keys = places.seen[places.picture], places.keys[places.picture]
        return attention_forward(seen, keys, query, self.params["w_fit"])

    def step(self, words: Int[Array, " N"], state: State) -> tuple[Float[Array, "N V"], State]:
        """See `CaptioningModel.step`."""
        p = self.params
        h, c, places = state
        context, _, _ = self._attend(places, h @ p["W_query"] + p["b_query"])
        z = sigmoid(h @ p["W_gate"] + p["b_gate"]) * context
        read = np.concatenate([p["W_embed"][words], z], axis=1)
        h, c, _ = lstm_step_forward(read, h, c, p["Wx"], p["Wh"], p["b"])
        out = np.tanh(np.concatenate([h, z], axis=1) @ p["W_out"] + p["b_out"])
        return out @ p["W_embed"].T + p["b_vocab"], (h, c, places)

    def stepper(self) -> Step:
        """See `limner.models.looking`."""
        return looking_stepper(self.params)

    def _checked(self, features: Array) -> Array:
        D = self.params["W_place"].shape[0]
        if features.ndim != 3 or features.shape[2] != D:
            raise ValueError(f"features: expected (N, L, D) = (N, L, {D}), got {features.shape}")
        return features.astype(self.dtype, copy=False)


def _sum_by_picture(
    d: Float[Array, "N *_ S"], image_idxs: Int[Array, " N"], num_images: int
) -> Float[Array, "M *_ S"]:
    """A picture's captions share it, so its gradient is the sum over them."""
    out = np.zeros((num_images, *d.shape[1:]), d.dtype)
    np.add.at(out, image_idxs, d)
    return out
