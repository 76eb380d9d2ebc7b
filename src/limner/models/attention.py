"""AttentionRNN: an LSTM with soft attention over the regions of an image.

    v         = relu(features W_place + b_place)       values of the L regions
    keys      = v W_key
    h0, c0    = tanh(mean of v over regions, W_h0, W_c0)
    and for every word:
    query     = h_{t-1} W_query + b_query
    context   = attention(v, keys, query)              weighted mean of the values
    gate      = sigmoid(h_{t-1} W_gate + b_gate)       scales the context
    z         = gate * context
    h_t, c_t  = lstm([x_t, z], h_{t-1}, c_{t-1})
    out       = tanh([h_t, z] W_out + b_out)
    scores    = out W_embed^T + b_vocab                tied to the word vectors

In training, dropout is applied to v, the word vectors and [h_t, z].

Shapes: N captions of M images, T words, L regions, D features of a region, E value, A key,
W word vector, H hidden, R = H + E, V vocabulary.
Source: K. Xu et al., "Show, attend and tell: neural image caption generation with visual
attention", ICML 2015: soft attention with its gate (section 4.2.1); the output layer is the
paper's, with a tanh and tied weights.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from msgspec import Meta

from limner.decoding import State
from limner.layers import (
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
from limner.models.base import NO_MASKS, CaptioningModel, Masks, ModelConfig, keep, sum_by_image
from limner.models.batch import Batch
from limner.models.rnn import ForgetBias, Size
from limner.randomness import Random, global_if_none
from limner.typing import Array, Float, Int


class AttentionConfig(ModelConfig, frozen=True, kw_only=True, tag="attention", tag_field="kind"):
    """The options of `AttentionRNN`."""

    wordvec_dim: Annotated[Size, Meta(description="Size of a word vector.")] = 256
    hidden_dim: Annotated[Size, Meta(description="Size of the hidden state.")] = 512
    attention_dim: Annotated[Size, Meta(description="Size of attention keys and queries.")] = 256
    place_dim: Annotated[Size, Meta(description="Size of a projected region feature.")] = 512
    forget_bias: ForgetBias = 0.0


@dataclass(frozen=True)
class Regions:
    """The regions of M images, shared by the R rows of a state.

    Indexing by rows copies no regions.

    Attributes:
        values: (M, L, E) values of the regions.
        keys: (M, L, A) keys of the regions.
        image: (R,) index of the image of each row.
    """

    values: Float[Array, "M L E"]
    keys: Float[Array, "M L A"]
    image: Int[Array, " R"]

    def __getitem__(self, rows: Array) -> "Regions":
        return Regions(self.values, self.keys, self.image[rows])


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
        rng: for the initial parameters; None is NumPy's global state.
        forget_bias: initial bias of the forget gates.

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

    config_type: ClassVar[type[ModelConfig]] = AttentionConfig
    config: AttentionConfig
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
        rng: Random | None = None,
        *,
        forget_bias: float = 0.0,
    ) -> None:
        config = AttentionConfig(
            wordvec_dim=wordvec_dim,
            hidden_dim=hidden_dim,
            attention_dim=attention_dim,
            place_dim=place_dim,
            forget_bias=forget_bias,
        )
        super().__init__(word_to_idx, input_dim, config, dtype)
        V, D, W, H = len(word_to_idx), input_dim, wordvec_dim, hidden_dim
        A, E = attention_dim, place_dim
        normal = global_if_none(rng).standard_normal

        def weights(rows: int, columns: int) -> Array:
            scaled: Array = normal((rows, columns)) / np.sqrt(rows)
            return scaled

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

    def loss(
        self, batch: Batch, *, masks: Masks = NO_MASKS, label_smoothing: float = 0.0
    ) -> tuple[np.floating, dict[str, Array]]:
        """See `CaptioningModel.loss`; features are (M, L, D)."""
        p, idxs, M = self.params, batch.image_idxs, len(batch.features)
        embedding, output = masks.get("embedding"), masks.get("output")

        values, keys, h0, c0, region_cache = self._regions_forward(
            self.features_of(batch), masks.get("features")
        )
        x, embed_cache = word_embedding_forward(batch.input_tokens, keep(p["W_embed"], embedding))
        hz, caches = self._tokens_forward(x, values[idxs], keys[idxs], h0[idxs], c0[idxs])
        out, out_cache = temporal_affine_forward(keep(hz, output), p["W_out"], p["b_out"])
        out = np.tanh(out)
        scores, vocab_cache = temporal_affine_forward(out, p["W_embed"].T, p["b_vocab"])
        loss, dscores = temporal_softmax_loss(
            scores,
            batch.targets,
            batch.target_weights(self.null),
            smoothing=label_smoothing,
            soft_targets=batch.soft_targets,
        )

        grads = {name: np.zeros_like(param) for name, param in p.items()}
        dout, dW_vocab, grads["b_vocab"] = temporal_affine_backward(dscores, vocab_cache)
        dout = dout * (1 - out**2)
        dhz, grads["W_out"], grads["b_out"] = temporal_affine_backward(dout, out_cache)
        dx, *by_caption = self._tokens_backward(keep(dhz, output), caches, grads)
        grads["W_embed"] = keep(word_embedding_backward(dx, embed_cache), embedding) + dW_vocab.T
        dvalues, dkeys, dh0, dc0 = (sum_by_image(d, idxs, M) for d in by_caption)
        self._regions_backward(dvalues, dkeys, dh0, dc0, region_cache, grads)
        return loss, grads

    def _regions_forward(
        self, features: Float[Array, "M L D"], mask: Float[Array, "M E"] | None = None
    ) -> tuple[Array, Array, Array, Array, tuple[Any, ...]]:
        """v (M, L, E), keys (M, L, A), h0 and c0 (M, H), and a cache."""
        p = self.params
        rows, place_cache = temporal_affine_forward(features, p["W_place"], p["b_place"])
        values = keep(np.maximum(rows, 0), mask)
        mean = values.mean(axis=1)
        h0, h0_cache = affine_forward(mean, p["W_h0"], p["b_h0"])
        c0, c0_cache = affine_forward(mean, p["W_c0"], p["b_c0"])
        h0, c0 = np.tanh(h0), np.tanh(c0)
        cache = rows, values, h0, c0, mask, place_cache, h0_cache, c0_cache
        return values, values @ p["W_key"], h0, c0, cache

    def _regions_backward(
        self,
        dvalues: Float[Array, "M L E"],
        dkeys: Float[Array, "M L A"],
        dh0: Float[Array, "M H"],
        dc0: Float[Array, "M H"],
        cache: tuple[Any, ...],
        grads: dict[str, Array],
    ) -> None:
        rows, values, h0, c0, mask, place_cache, h0_cache, c0_cache = cache
        dmean_h, grads["W_h0"], grads["b_h0"] = affine_backward(dh0 * (1 - h0**2), h0_cache)
        dmean_c, grads["W_c0"], grads["b_c0"] = affine_backward(dc0 * (1 - c0**2), c0_cache)
        grads["W_key"] = np.tensordot(values, dkeys, axes=([0, 1], [0, 1]))
        dvalues = dvalues + dkeys @ self.params["W_key"].T
        dvalues += ((dmean_h + dmean_c) / values.shape[1])[:, None]
        drows = keep(dvalues, mask) * (rows > 0)
        _, grads["W_place"], grads["b_place"] = temporal_affine_backward(drows, place_cache)

    def _tokens_forward(
        self,
        x: Float[Array, "N T W"],
        values: Float[Array, "N L E"],
        keys: Float[Array, "N L A"],
        h: Float[Array, "N H"],
        c: Float[Array, "N H"],
    ) -> tuple[Float[Array, "N T R"], list[tuple[Any, ...]]]:
        """[h, z] after every token, and the steps' caches."""
        p = self.params
        hz, caches = [], []
        for t in range(x.shape[1]):
            query, query_cache = affine_forward(h, p["W_query"], p["b_query"])
            context, _, attention_cache = attention_forward(values, keys, query, p["w_fit"])
            wanted, gate_cache = affine_forward(h, p["W_gate"], p["b_gate"])
            gate = sigmoid(wanted)
            z = gate * context
            read = np.concatenate([x[:, t], z], axis=1)
            h, c, cell_cache = lstm_step_forward(read, h, c, p["Wx"], p["Wh"], p["b"])
            hz.append(np.concatenate([h, z], axis=1))
            caches.append((query_cache, attention_cache, gate_cache, gate, context, cell_cache))
        return np.stack(hz, axis=1), caches

    def _tokens_backward(
        self,
        dhz: Float[Array, "N T R"],
        caches: list[tuple[Any, ...]],
        grads: dict[str, Array],
    ) -> tuple[Array, Array, Array, Array, Array]:
        """Backpropagation through time and attention: dx, dvalues, dkeys, dh0, dc0."""
        W, H = self.params["W_embed"].shape[1], len(self.params["Wh"])
        dx: list[Array] = []
        dh = dc = np.zeros_like(dhz[:, 0, :H])
        dvalues = dkeys = np.zeros(1, self.dtype)
        for t in reversed(range(dhz.shape[1])):
            query_cache, attention_cache, gate_cache, gate, context, cell_cache = caches[t]
            dread, dh_cell, dc, dWx, dWh, db = lstm_step_backward(
                dhz[:, t, :H] + dh, dc, cell_cache
            )
            dx.insert(0, dread[:, :W])
            dz = dread[:, W:] + dhz[:, t, H:]
            dwanted = dz * context * gate * (1 - gate)
            dh_gate, dW_gate, db_gate = affine_backward(dwanted, gate_cache)
            dvalues_t, dkeys_t, dquery, dw_fit = attention_backward(dz * gate, attention_cache)
            dh_query, dW_query, db_query = affine_backward(dquery, query_cache)
            dh = dh_cell + dh_gate + dh_query
            dvalues, dkeys = dvalues + dvalues_t, dkeys + dkeys_t
            names = ("Wx", "Wh", "b", "w_fit", "W_gate", "b_gate", "W_query", "b_query")
            found = (dWx, dWh, db, dw_fit, dW_gate, db_gate, dW_query, db_query)
            for name, grad in zip(names, found, strict=True):
                grads[name] += grad
        return np.stack(dx, axis=1), dvalues, dkeys, dh, dc

    def dropout_sites(self, batch: Batch) -> dict[str, tuple[int, ...]]:
        """Word vectors (V, W), projected regions (M, E), [h, z] (N, H + E); as `CaptioningRNN`."""
        E, H = self.config.place_dim, self.config.hidden_dim
        return {
            "embedding": self.params["W_embed"].shape,
            "features": (len(batch.features), E),
            "output": (len(batch.captions), H + E),
        }

    def start(self, features: Float[Array, "N ..."]) -> State:
        """h (N, H), c (N, H), and the regions."""
        values, keys, h, c, _ = self._regions_forward(self.standardize(features))
        return h, c, Regions(values, keys, np.arange(len(features)))

    def attention_weights(self, state: State) -> Float[Array, "R L"]:
        """See `WordModel.attention_weights`."""
        h, _, regions = state
        _, weights = self._attend(h, regions)
        return weights

    def _attend(
        self, h: Float[Array, "R H"], regions: Regions
    ) -> tuple[Float[Array, "R E"], Float[Array, "R L"]]:
        """The context and the attention weights of every row."""
        p = self.params
        values, keys = regions.values[regions.image], regions.keys[regions.image]
        query = h @ p["W_query"] + p["b_query"]
        context, weights, _ = attention_forward(values, keys, query, p["w_fit"])
        return context, weights

    def step(self, tokens: Int[Array, " R"], state: State) -> tuple[Float[Array, "R V"], State]:
        """See `Decoder.step`."""
        p = self.params
        h, c, regions = state
        context, _ = self._attend(h, regions)
        z = sigmoid(h @ p["W_gate"] + p["b_gate"]) * context
        read = np.concatenate([p["W_embed"][tokens], z], axis=1)
        h, c, _ = lstm_step_forward(read, h, c, p["Wx"], p["Wh"], p["b"])
        out = np.tanh(np.concatenate([h, z], axis=1) @ p["W_out"] + p["b_out"])
        return out @ p["W_embed"].T + p["b_vocab"], (h, c, regions)
