"""CaptioningRNN: a recurrent network that reads a picture's features and writes its caption.

    h0     = features W_proj + b_proj          the picture becomes the first hidden state
    x      = W_embed[captions[:, :-1]]         words in ...
    h      = rnn, gru or lstm (x, h0)
    h1     = rnn, gru or lstm (h, 0)           further layers, if any, read the one below
    scores = h W_vocab + b_vocab               ... scores of the next words out
    loss   = softmax against captions[:, 1:], `<NULL>` not counted

With tied weights W_vocab is the transpose of W_embed. Dropout, in training, stands after the
picture's projection, on the word vectors and before the scores.

Shapes: N captions of M pictures, T words, D features, W word vector, H hidden, V vocabulary;
m = 1 (rnn), 3 (gru) or 4 (lstm).
Source: O. Vinyals et al., "Show and tell: a neural image caption generator", CVPR 2015; here the
features set the first hidden state, as in the course. Tied weights: O. Press and L. Wolf, "Using
the output embedding to improve language models", EACL 2017.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from limner.arrays import Array, Float, Int
from limner.decoding import State, Step
from limner.layers import (
    Shared,
    affine_backward,
    affine_forward,
    gru_backward,
    gru_forward,
    gru_step_forward,
    lstm_backward,
    lstm_forward,
    lstm_step_forward,
    rnn_backward,
    rnn_forward,
    rnn_step_forward,
    temporal_affine_backward,
    temporal_affine_forward,
    temporal_softmax_loss,
    word_embedding_backward,
    word_embedding_forward,
)
from limner.models.base import CaptioningModel, Dropout, Masks, draw_mask
from limner.models.stepper import stepper

GATES = {"rnn": 1, "gru": 3, "lstm": 4}
"""Blocks of H columns in Wx, Wh and b, by cell type."""

_FORWARD: dict[str, Callable[..., Any]] = {
    "rnn": rnn_forward,
    "gru": gru_forward,
    "lstm": lstm_forward,
}
_BACKWARD: dict[str, Callable[..., Any]] = {
    "rnn": rnn_backward,
    "gru": gru_backward,
    "lstm": lstm_backward,
}
_STEP: dict[str, Callable[..., Any]] = {
    "rnn": rnn_step_forward,
    "gru": gru_step_forward,
    "lstm": lstm_step_forward,
}


class CaptioningRNN(CaptioningModel):
    """A captioning model: parameters, loss and gradients, one decoding step.

    Args:
        word_to_idx: the vocabulary; `<NULL>` must be in it, `<START>` and `<END>` for sampling.
        input_dim: D.
        wordvec_dim: W.
        hidden_dim: H.
        cell_type: "rnn", "gru" or "lstm".
        dtype: of the parameters and of all that is computed; float32, or float64 for gradient
            checks (halves are too small for Adam's epsilon).
        rng: where the parameters are drawn from; None takes NumPy's global state, so that
            `np.random.seed` repeats the course's numbers.
        num_layers: cells above each other.
        tied: the scores use W_embed in the place of W_vocab; W must be H.
        forget_bias: what the LSTM's forget gates begin with; the course's is 0, and 1 remembers
            longer at first (R. Jozefowicz et al., "An empirical exploration of recurrent network
            architectures", ICML 2015).

    Attributes:
        params: W_embed (V, W), W_proj (D, H), b_proj (H,), Wx (W, mH), Wh (H, mH), b (mH,),
            W_vocab (H, V) unless tied, b_vocab (V,); of layer 2 and up Wx2 (H, mH), Wh2, b2, ...

    Raises:
        ValueError: for an unknown cell type, another dtype, a vocabulary without `<NULL>`, no
            layer, or tied weights of sizes that do not allow it.

    >>> words = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3}
    >>> model = CaptioningRNN(words, input_dim=8, cell_type="lstm", rng=np.random.default_rng(0))
    >>> model.sample(np.ones((2, 8)), max_length=5).shape
    (2, 5)
    """

    kind: ClassVar[str] = "rnn"
    reads_grid = False

    def __init__(
        self,
        word_to_idx: dict[str, int],
        input_dim: int = 512,
        wordvec_dim: int = 128,
        hidden_dim: int = 128,
        cell_type: str = "rnn",
        dtype: type[np.floating] = np.float32,
        rng: np.random.Generator | None = None,
        *,
        num_layers: int = 1,
        tied: bool = False,
        forget_bias: float = 0.0,
    ) -> None:
        if cell_type not in GATES:
            raise ValueError(f"cell_type {cell_type!r}: expected one of {', '.join(GATES)}")
        if num_layers < 1:
            raise ValueError(f"num_layers {num_layers}: expected 1 or more")
        if tied and wordvec_dim != hidden_dim:
            raise ValueError(
                f"tied weights: wordvec_dim {wordvec_dim} must be hidden_dim {hidden_dim}"
            )
        super().__init__(word_to_idx, input_dim, dtype)
        self.cell_type = cell_type
        self.num_layers = num_layers
        self.tied = tied

        V, D, W, H = len(word_to_idx), input_dim, wordvec_dim, hidden_dim
        m = GATES[cell_type]
        normal = np.random.standard_normal if rng is None else rng.standard_normal
        params: dict[str, Array] = {
            "W_embed": normal((V, W)) / 100,
            "W_proj": normal((D, H)) / np.sqrt(D),
            "b_proj": np.zeros(H),
        }
        for Wx, Wh, b in self.layer_names:
            width = W if Wx == "Wx" else H
            params[Wx] = normal((width, m * H)) / np.sqrt(width)
            params[Wh] = normal((H, m * H)) / np.sqrt(H)
            params[b] = np.zeros(m * H)
            if cell_type == "lstm":
                params[b][H : 2 * H] = forget_bias
        if not tied:
            params["W_vocab"] = normal((H, V)) / np.sqrt(H)
        params["b_vocab"] = np.zeros(V)
        self.params = {name: param.astype(dtype) for name, param in params.items()}

    @property
    def config(self) -> dict[str, Any]:
        """The arguments, less the vocabulary, that make a model of this shape."""
        D, H = self.params["W_proj"].shape
        return {
            "input_dim": D,
            "wordvec_dim": self.params["W_embed"].shape[1],
            "hidden_dim": H,
            "cell_type": self.cell_type,
            "num_layers": self.num_layers,
            "tied": self.tied,
        }

    @property
    def title(self) -> str:
        """LSTM, or 2-layer LSTM."""
        layers = f"{self.num_layers}-layer " if self.num_layers > 1 else ""
        return layers + self.cell_type.upper()

    @property
    def layer_names(self) -> list[tuple[str, str, str]]:
        """The names of Wx, Wh and b of every layer, from below."""
        numbers = ["", *(str(layer) for layer in range(2, self.num_layers + 1))]
        return [(f"Wx{number}", f"Wh{number}", f"b{number}") for number in numbers]

    def loss(
        self,
        features: Float[Array, "M D"],
        captions: Int[Array, "N T"],
        image_idxs: Int[Array, " N"] | None = None,
        weights: Float[Array, " N"] | None = None,
        smoothing: float = 0.0,
        masks: Masks | None = None,
        inputs: Int[Array, "N T-1"] | None = None,
        shared: Shared | None = None,
    ) -> tuple[np.floating, dict[str, Array]]:
        """See `CaptioningModel.loss`; features are (M, D)."""
        features, image_idxs = self.checked_batch(features, captions, image_idxs, inputs, shared)
        p = self.params
        captions_in, captions_out = captions[:, :-1], captions[:, 1:]
        if inputs is not None:
            captions_in = inputs
        counts = (
            captions_out != self.null
            if weights is None
            else np.where(captions_out != self.null, weights[:, None], 0)
        )
        W_embed = p["W_embed"] if masks is None else p["W_embed"] * masks.embedding
        W_vocab = p["W_embed"].T if self.tied else p["W_vocab"]

        projected, proj_cache = affine_forward(features, p["W_proj"], p["b_proj"])
        if masks:
            projected = projected * masks.features
        h0 = projected[image_idxs]
        h, embed_cache = word_embedding_forward(captions_in, W_embed)
        cell_caches = []
        for Wx, Wh, b in self.layer_names:
            h, cache = _FORWARD[self.cell_type](h, h0, p[Wx], p[Wh], p[b])
            h0 = np.zeros_like(h0)
            cell_caches.append(cache)
        if masks:
            h = h * masks.output[:, None]
        scores, vocab_cache = temporal_affine_forward(h, W_vocab, p["b_vocab"])
        loss, dscores = temporal_softmax_loss(
            scores, captions_out, counts, smoothing=smoothing, shared=shared
        )

        grads: dict[str, Array] = {}
        dh, dW_vocab, grads["b_vocab"] = temporal_affine_backward(dscores, vocab_cache)
        if masks:
            dh = dh * masks.output[:, None]
        for (Wx, Wh, b), cache in zip(
            reversed(self.layer_names), reversed(cell_caches), strict=True
        ):
            dh, dh0, grads[Wx], grads[Wh], grads[b] = _BACKWARD[self.cell_type](dh, cache)
        dW_embed = word_embedding_backward(dh, embed_cache)
        grads["W_embed"] = dW_embed if masks is None else dW_embed * masks.embedding
        if self.tied:
            grads["W_embed"] = grads["W_embed"] + dW_vocab.T
        else:
            grads["W_vocab"] = dW_vocab
        dprojected = np.zeros_like(projected)
        np.add.at(dprojected, image_idxs, dh0)
        if masks:
            dprojected *= masks.features
        _, grads["W_proj"], grads["b_proj"] = affine_backward(dprojected, proj_cache)
        return loss, grads

    def draw_masks(
        self,
        dropout: Dropout,
        num_images: int,
        num_captions: int,
        rng: np.random.Generator | None = None,
    ) -> Masks:
        """See `CaptioningModel.draw_masks`; K and R are H."""
        H = self.params["W_proj"].shape[1]
        return Masks(
            draw_mask(rng, dropout.embedding, self.params["W_embed"].shape, self.dtype),
            draw_mask(rng, dropout.features, (num_images, H), self.dtype),
            draw_mask(rng, dropout.output, (num_captions, H), self.dtype),
        )

    def initial_state(self, features: Float[Array, "N D"]) -> State:
        """(h,) for rnn and gru, (h, c) for lstm, (N, H) each; then those of further layers."""
        p = self.params
        h0, _ = affine_forward(self.standardise(features), p["W_proj"], p["b_proj"])
        zeros = (2 if self.cell_type == "lstm" else 1) * self.num_layers - 1
        return (h0, *(np.zeros_like(h0) for _ in range(zeros)))

    def step(self, words: Int[Array, " N"], state: State) -> tuple[Float[Array, "N V"], State]:
        """See `CaptioningModel.step`."""
        p = self.params
        x = p["W_embed"][words]
        width = len(state) // self.num_layers
        after: list[Array] = []
        for layer, (Wx, Wh, b) in enumerate(self.layer_names):
            before = state[layer * width : (layer + 1) * width]
            *now, _ = _STEP[self.cell_type](x, *before, p[Wx], p[Wh], p[b])
            x = now[0]
            after += now
        W_vocab = p["W_embed"].T if self.tied else p["W_vocab"]
        scores, _ = affine_forward(x, W_vocab, p["b_vocab"])
        return scores, tuple(after)

    def stepper(self) -> Step:
        """See `limner.models.stepper`."""
        return stepper(self.params, GATES[self.cell_type], self.layer_names)

    def _checked(self, features: Array) -> Array:
        D = self.params["W_proj"].shape[0]
        if features.ndim != 2 or features.shape[1] != D:
            raise ValueError(f"features: expected (N, D) = (N, {D}), got {features.shape}")
        return features.astype(self.dtype, copy=False)
