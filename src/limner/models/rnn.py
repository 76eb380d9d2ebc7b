"""CaptioningRNN: a recurrent network whose initial state is a projection of the image features.

    h0     = features W_proj + b_proj          the initial hidden state
    x      = W_embed[captions[:, :-1]]         input words
    h      = cell(x, h0)                       one of `limner.layers.cells`
    h1     = cell(h, 0)                        of further layers, if any
    scores = h W_vocab + b_vocab               logits of the next words
    loss   = softmax loss on captions[:, 1:], without `<NULL>`

With tied weights, W_vocab is the transpose of W_embed. In training, dropout is applied to the
projected features, the word vectors and the last hidden states.

Shapes: N captions of M images, T words, D features, W word vector, H hidden, V vocabulary;
m gates of the cell.
Source: O. Vinyals et al., "Show and tell: a neural image caption generator", CVPR 2015; here the
features set the first hidden state, as in the course. Tied weights: O. Press and L. Wolf, "Using
the output embedding to improve language models", EACL 2017.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from limner.config import MANY
from limner.decoding import State
from limner.layers import (
    affine_backward,
    affine_forward,
    temporal_affine_backward,
    temporal_affine_forward,
    temporal_softmax_loss,
    word_embedding_backward,
    word_embedding_forward,
)
from limner.layers.cells import CELLS, CellType
from limner.models.base import NO_MASKS, CaptioningModel, Masks, ModelConfig, keep, sum_by_image
from limner.models.batch import Batch
from limner.randomness import Random, global_if_none
from limner.typing import Array, Float, Int

Size = Annotated[int, Meta(ge=1, le=65_536)]
ForgetBias = Annotated[
    float, Meta(ge=-MANY, le=MANY, description="Initial bias of the LSTM's forget gates.")
]


class RNNConfig(ModelConfig, frozen=True, kw_only=True, tag="rnn", tag_field="kind"):
    """The options of `CaptioningRNN`."""

    wordvec_dim: Annotated[Size, Meta(description="Size of a word vector.")] = 256
    hidden_dim: Annotated[Size, Meta(description="Size of the hidden state.")] = 512
    cell_type: Annotated[CellType, Meta(description="Recurrent cell.")] = "lstm"
    num_layers: Annotated[int, Meta(ge=1, le=64, description="Number of recurrent layers.")] = 1
    tied: Annotated[bool, Meta(description="Use the word vectors as the output weights, too.")] = (
        False
    )
    forget_bias: ForgetBias = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tied and self.wordvec_dim != self.hidden_dim:
            raise ValueError(
                f"`tied`: expected `wordvec_dim` {self.wordvec_dim} to equal `hidden_dim` "
                f"{self.hidden_dim}"
            )

    def without_effect(self) -> Iterator[tuple[bool, Sequence[str], str]]:
        """See `Config.without_effect`."""
        yield self.cell_type != "lstm", ("forget_bias",), f"`cell_type` {self.cell_type}"


class CaptioningRNN(CaptioningModel):
    """A captioning model without attention.

    Args:
        word_to_idx: the vocabulary; `<NULL>` must be in it, `<START>` and `<END>` for decoding.
        input_dim: D.
        wordvec_dim: W.
        hidden_dim: H.
        cell_type: one of `limner.layers.cells.CELLS`.
        dtype: of parameters and computations: float32, or float64 for gradient checks.
        rng: for the initial parameters; None is NumPy's global state, so that
            `np.random.seed` gives the course's numbers.
        num_layers: number of recurrent layers.
        tied: W_vocab is W_embed transposed; W must be H.
        forget_bias: initial bias of the LSTM's forget gates, 0 in the course; 1 helps to
            learn long dependencies (R. Jozefowicz et al., "An empirical exploration of recurrent
            network architectures", ICML 2015).

    Attributes:
        params: W_embed (V, W), W_proj (D, H), b_proj (H,), Wx (W, mH), Wh (H, mH), b (mH,),
            W_vocab (H, V) unless tied, b_vocab (V,); of layer 2: Wx2 (H, mH), Wh2, b2, ...

    Raises:
        ValueError: for an invalid option, another dtype, or a vocabulary without `<NULL>`.

    >>> words = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3}
    >>> model = CaptioningRNN(words, input_dim=8, cell_type="lstm", rng=np.random.default_rng(0))
    >>> model.sample(np.ones((2, 8)), max_length=5).shape
    (2, 5)
    """

    config_type: ClassVar[type[ModelConfig]] = RNNConfig
    config: RNNConfig
    reads_grid = False

    def __init__(
        self,
        word_to_idx: dict[str, int],
        input_dim: int = 512,
        wordvec_dim: int = 128,
        hidden_dim: int = 128,
        cell_type: CellType = "rnn",
        dtype: type[np.floating] = np.float32,
        rng: Random | None = None,
        *,
        num_layers: int = 1,
        tied: bool = False,
        forget_bias: float = 0.0,
    ) -> None:
        config = RNNConfig(
            wordvec_dim=wordvec_dim,
            hidden_dim=hidden_dim,
            cell_type=cell_type,
            num_layers=num_layers,
            tied=tied,
            forget_bias=forget_bias,
        )
        super().__init__(word_to_idx, input_dim, config, dtype)
        self.cell = CELLS[cell_type]
        V, D, W, H = len(word_to_idx), input_dim, wordvec_dim, hidden_dim
        m = self.cell.gates
        normal = global_if_none(rng).standard_normal
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
    def title(self) -> str:
        """LSTM, or 2-layer LSTM."""
        layers = f"{self.config.num_layers}-layer " if self.config.num_layers > 1 else ""
        return layers + self.config.cell_type.upper()

    @property
    def layer_names(self) -> list[tuple[str, str, str]]:
        """The names of Wx, Wh and b of each layer, the first layer first."""
        numbers = ["", *(str(layer) for layer in range(2, self.config.num_layers + 1))]
        return [(f"Wx{number}", f"Wh{number}", f"b{number}") for number in numbers]

    @property
    def _output_weights(self) -> Float[Array, "H V"]:
        return self.params["W_embed"].T if self.config.tied else self.params["W_vocab"]

    def loss(
        self,
        batch: Batch | Float[Array, "N ..."],
        captions: Array | None = None,
        *,
        masks: Masks = NO_MASKS,
        label_smoothing: float = 0.0,
    ) -> tuple[np.floating, dict[str, Array]]:
        """See `CaptioningModel.loss`; features are (M, D).

        The course's call `loss(features, captions)` works, too.
        """
        if not isinstance(batch, Batch):
            batch = Batch(batch, np.asarray(captions))
        p = self.params
        embedding, kept, output = (masks.get(s) for s in ("embedding", "features", "output"))

        projected, proj_cache = affine_forward(self.features_of(batch), p["W_proj"], p["b_proj"])
        projected = keep(projected, kept)
        h0 = projected[batch.image_idxs]
        h, embed_cache = word_embedding_forward(batch.input_tokens, keep(p["W_embed"], embedding))
        cell_caches = []
        for Wx, Wh, b in self.layer_names:
            h, cache = self.cell.forward(h, h0, p[Wx], p[Wh], p[b])
            h0 = np.zeros_like(h0)
            cell_caches.append(cache)
        h = keep(h, output)
        scores, vocab_cache = temporal_affine_forward(h, self._output_weights, p["b_vocab"])
        loss, dscores = temporal_softmax_loss(
            scores,
            batch.targets,
            batch.target_weights(self.null),
            smoothing=label_smoothing,
            soft_targets=batch.soft_targets,
        )

        grads: dict[str, Array] = {}
        dh, dW_vocab, grads["b_vocab"] = temporal_affine_backward(dscores, vocab_cache)
        dh = keep(dh, output)
        for (Wx, Wh, b), cache in zip(
            reversed(self.layer_names), reversed(cell_caches), strict=True
        ):
            dh, dh0, grads[Wx], grads[Wh], grads[b] = self.cell.backward(dh, cache)
        grads["W_embed"] = keep(word_embedding_backward(dh, embed_cache), embedding)
        if self.config.tied:
            grads["W_embed"] = grads["W_embed"] + dW_vocab.T
        else:
            grads["W_vocab"] = dW_vocab
        dprojected = sum_by_image(dh0, batch.image_idxs, len(projected))
        dprojected = keep(dprojected, kept)
        _, grads["W_proj"], grads["b_proj"] = affine_backward(dprojected, proj_cache)
        return loss, grads

    def dropout_sites(self, batch: Batch) -> dict[str, tuple[int, ...]]:
        """Word vectors (V, W), projected features (M, H), the last layer's output (N, H).

        A caption's mask is the same at every time step, a word's at all its occurrences in the
        batch. Source: Y. Gal and Z. Ghahramani, "A theoretically grounded application of dropout
        in recurrent neural networks", NIPS 2016.
        """
        H = self.config.hidden_dim
        return {
            "embedding": self.params["W_embed"].shape,
            "features": (len(batch.features), H),
            "output": (len(batch.captions), H),
        }

    def start(self, features: Float[Array, "N ..."]) -> State:
        """The arrays (N, H) of the state of each layer: (h, c) for lstm, otherwise (h,)."""
        p = self.params
        h0, _ = affine_forward(self.standardize(features), p["W_proj"], p["b_proj"])
        zeros = self.cell.states * self.config.num_layers - 1
        return (h0, *(np.zeros_like(h0) for _ in range(zeros)))

    def step(self, tokens: Int[Array, " R"], state: State) -> tuple[Float[Array, "R V"], State]:
        """See `Decoder.step`."""
        p = self.params
        x, next_state = p["W_embed"][tokens], []
        for layer, (Wx, Wh, b) in enumerate(self.layer_names):
            prev = state[layer * self.cell.states : (layer + 1) * self.cell.states]
            *now, _ = self.cell.step_forward(x, *prev, p[Wx], p[Wh], p[b])
            x = now[0]
            next_state += now
        scores, _ = affine_forward(x, self._output_weights, p["b_vocab"])
        return scores, tuple(next_state)
