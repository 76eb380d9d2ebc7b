"""CaptioningRNN: a recurrent network that reads a picture's features and writes its caption.

    h0     = features W_proj + b_proj          the picture becomes the first hidden state
    x      = W_embed[captions[:, :-1]]         words in ...
    h      = rnn, gru or lstm (x, h0)
    scores = h W_vocab + b_vocab               ... scores of the next words out
    loss   = softmax against captions[:, 1:], `<NULL>` not counted

Shapes: N pictures, T words, D features, W word vector, H hidden, V vocabulary; m = 1 (rnn),
3 (gru) or 4 (lstm).
Source: O. Vinyals et al., "Show and tell: a neural image caption generator", CVPR 2015; here the
features set the first hidden state, as in the course.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from limner.arrays import Array, Float, Int
from limner.decoding import Limits, beam_search, greedy
from limner.layers import (
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
from limner.stepper import stepper
from limner.vocabulary import END, NULL, START, UNK

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

State = tuple[Array, ...]
"""What a step hands to the next: (h,) for rnn and gru, (h, c) for lstm; each (N, H)."""


class CaptioningRNN:
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

    Attributes:
        params: W_embed (V, W), W_proj (D, H), b_proj (H,), Wx (W, mH), Wh (H, mH), b (mH,),
            W_vocab (H, V), b_vocab (V,).

    Raises:
        ValueError: for an unknown cell type, another dtype, or a vocabulary without `<NULL>`.

    >>> words = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3}
    >>> model = CaptioningRNN(words, input_dim=8, cell_type="lstm", rng=np.random.default_rng(0))
    >>> model.sample(np.ones((2, 8)), max_length=5).shape
    (2, 5)
    """

    def __init__(
        self,
        word_to_idx: dict[str, int],
        input_dim: int = 512,
        wordvec_dim: int = 128,
        hidden_dim: int = 128,
        cell_type: str = "rnn",
        dtype: type[np.floating] = np.float32,
        rng: np.random.Generator | None = None,
    ) -> None:
        if cell_type not in GATES:
            raise ValueError(f"cell_type {cell_type!r}: expected one of {', '.join(GATES)}")
        if np.dtype(dtype) not in (np.float32, np.float64):
            raise ValueError(f"dtype {np.dtype(dtype)}: expected float32 or float64")
        if NULL not in word_to_idx:
            raise ValueError(f"word_to_idx: {NULL} is missing")
        self.cell_type = cell_type
        self.dtype = dtype
        self.word_to_idx = word_to_idx
        self.idx_to_word = {index: word for word, index in word_to_idx.items()}
        self.null = word_to_idx[NULL]

        V, D, W, H = len(word_to_idx), input_dim, wordvec_dim, hidden_dim
        mH = GATES[cell_type] * H
        normal = np.random.standard_normal if rng is None else rng.standard_normal
        params: dict[str, Array] = {
            "W_embed": normal((V, W)) / 100,
            "W_proj": normal((D, H)) / np.sqrt(D),
            "b_proj": np.zeros(H),
            "Wx": normal((W, mH)) / np.sqrt(W),
            "Wh": normal((H, mH)) / np.sqrt(H),
            "b": np.zeros(mH),
            "W_vocab": normal((H, V)) / np.sqrt(H),
            "b_vocab": np.zeros(V),
        }
        self.params = {name: param.astype(dtype) for name, param in params.items()}

    @property
    def config(self) -> dict[str, int | str]:
        """The arguments, less the vocabulary, that make a model of this shape."""
        D, H = self.params["W_proj"].shape
        return {
            "input_dim": D,
            "wordvec_dim": self.params["W_embed"].shape[1],
            "hidden_dim": H,
            "cell_type": self.cell_type,
        }

    @property
    def num_parameters(self) -> int:
        """How many numbers the model learns."""
        return sum(param.size for param in self.params.values())

    def loss(
        self, features: Float[Array, "N D"], captions: Int[Array, "N T"]
    ) -> tuple[np.floating, dict[str, Array]]:
        """Forward and backward, layer by layer: the reference that faster engines must match.

        Args:
            features: (N, D) of the pictures.
            captions: (N, T) word ids; T >= 2. Words 0 to T-2 go in, words 1 to T-1 are expected.
                `<NULL>` is not expected anywhere, wherever it stands.

        Returns:
            The loss, summed over words and averaged over captions, and its gradient by every
            parameter.

        Raises:
            ValueError: if the shapes do not fit the model or each other.
        """
        features = self.checked_batch(features, captions)
        p = self.params
        captions_in, captions_out = captions[:, :-1], captions[:, 1:]
        mask = captions_out != self.null

        h0, proj_cache = affine_forward(features, p["W_proj"], p["b_proj"])
        x, embed_cache = word_embedding_forward(captions_in, p["W_embed"])
        h, cell_cache = _FORWARD[self.cell_type](x, h0, p["Wx"], p["Wh"], p["b"])
        scores, vocab_cache = temporal_affine_forward(h, p["W_vocab"], p["b_vocab"])
        loss, dscores = temporal_softmax_loss(scores, captions_out, mask)

        grads: dict[str, Array] = {}
        dh, grads["W_vocab"], grads["b_vocab"] = temporal_affine_backward(dscores, vocab_cache)
        dx, dh0, grads["Wx"], grads["Wh"], grads["b"] = _BACKWARD[self.cell_type](dh, cell_cache)
        grads["W_embed"] = word_embedding_backward(dx, embed_cache)
        _, grads["W_proj"], grads["b_proj"] = affine_backward(dh0, proj_cache)
        return loss, grads

    def initial_state(self, features: Float[Array, "N D"]) -> State:
        """The state before the first word."""
        p = self.params
        h0, _ = affine_forward(self._checked(features), p["W_proj"], p["b_proj"])
        return (h0, np.zeros_like(h0)) if self.cell_type == "lstm" else (h0,)

    def step(self, words: Int[Array, " N"], state: State) -> tuple[Float[Array, "N V"], State]:
        """Scores of the next word, after these words and this state; and the state after them.

        `limner.stepper` computes the same, prepared for many calls.
        """
        p = self.params
        x = p["W_embed"][words]
        *after, _ = _STEP[self.cell_type](x, *state, p["Wx"], p["Wh"], p["b"])
        scores, _ = affine_forward(after[0], p["W_vocab"], p["b_vocab"])
        return scores, tuple(after)

    def sample(self, features: Float[Array, "N D"], max_length: int = 30) -> Int[Array, "N L"]:
        """The likeliest word at every step, as the course's `sample`.

        Args:
            features: (N, D) of the pictures.
            max_length: L, words at most.

        Returns:
            (N, L) int32 word ids: the first word sampled (not `<START>`) in column 0, `<NULL>`
            after `<END>`.
        """
        if START not in self.word_to_idx:
            raise ValueError(f"word_to_idx: sampling needs {START}")
        ids = self.word_to_idx
        limits = Limits(ids[START], ids.get(END), self.null, max_length)
        state = self.initial_state(features)
        words, _ = greedy(stepper(self.params), state, len(features), limits)
        return words

    def caption(
        self, features: Float[Array, "N D"], max_length: int = 30, beam_size: int = 1
    ) -> tuple[Int[Array, "N L"], Float[Array, " N"]]:
        """Captions to show to people: never `<UNK>` or a special word.

        Args:
            features: (N, D) of the pictures.
            max_length: L, words at most.
            beam_size: 1 takes the likeliest word at every step, as `sample`; more searches.

        Returns:
            (N, L) word ids, and each caption's mean log-probability per word (N,), the closer to
            zero the surer.
        """
        if max_length < 1 or beam_size < 1:
            raise ValueError(f"max_length {max_length}, beam_size {beam_size}: expected 1 or more")
        ids = self.word_to_idx
        never = [ids[word] for word in (NULL, START, UNK) if word in ids]
        limits = Limits(ids[START], ids[END], self.null, max_length, forbidden=never)
        start = stepper(self.params), self.initial_state(features), len(features)
        if beam_size == 1:
            words, log_probs = greedy(*start, limits)
        else:
            best, of_best = beam_search(*start, limits, beam_size=beam_size)
            words, log_probs = best[:, 0], of_best[:, 0]
        return words, log_probs / (words != self.null).sum(axis=1)

    def checked_batch(
        self, features: Float[Array, "N D"], captions: Int[Array, "N T"]
    ) -> Float[Array, "N D"]:
        """The features in the model's dtype; ValueError if a batch does not fit the model."""
        features = self._checked(features)
        if captions.ndim != 2 or len(captions) != len(features) or captions.shape[1] < 2:
            raise ValueError(
                f"captions: expected (N, T) = ({len(features)}, 2 or more) to go with features "
                f"{features.shape}, got {captions.shape}"
            )
        if captions.dtype.kind not in "iu":
            raise ValueError(f"captions: expected word ids, whole numbers, got {captions.dtype}")
        if not len(captions):
            raise ValueError("captions: expected at least one, got none")
        V = len(self.word_to_idx)
        if captions.size and not 0 <= captions.min() <= captions.max() < V:
            raise ValueError(
                f"captions: word ids from {captions.min()} to {captions.max()}, "
                f"expected 0 to {V - 1}"
            )
        return features

    def _checked(self, features: Array) -> Array:
        D = self.params["W_proj"].shape[0]
        if features.ndim != 2 or features.shape[1] != D:
            raise ValueError(f"features: expected (N, D) = (N, {D}), got {features.shape}")
        return features.astype(self.dtype, copy=False)
