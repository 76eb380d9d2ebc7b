"""The interface of captioning models: vocabulary, parameters, loss and decoding.

A new kind of model is a subclass of `CaptioningModel` with a struct of its options (`ModelConfig`),
parameters, `loss` with gradients, `start` and `step`, and an entry in `limner.models.MODELS`.

Shapes: N captions of M images, R rows in decoding, T tokens, L regions, D features, V vocabulary.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import msgspec
import numpy as np

from limner.config import Config
from limner.decoding import Constraints, State, greedy
from limner.models.batch import Batch
from limner.randomness import Random
from limner.typing import Array, Float, Int
from limner.vocabulary import END, NULL, START

Masks = Mapping[str, Array]
"""Dropout masks by site: 0 for a dropped unit, 1/(1 - rate) otherwise."""

NO_MASKS: Masks = MappingProxyType({})


class WordModel(ABC):
    """A decoder with a vocabulary: enough to caption. See `limner.decoding.Decoder`.

    Args:
        word_to_idx: the vocabulary; `<NULL>` must be in it, `<START>` and `<END>` for decoding.

    Raises:
        ValueError: for a vocabulary without `<NULL>`.
    """

    reads_grid: bool
    """Whether the model reads region features (N, L, D) instead of pooled features (N, D)."""

    def __init__(self, word_to_idx: dict[str, int]) -> None:
        if NULL not in word_to_idx:
            raise ValueError(f"word_to_idx: {NULL} is missing")
        self.word_to_idx = word_to_idx
        self.idx_to_word = {index: word for word, index in word_to_idx.items()}
        self.null = word_to_idx[NULL]

    @property
    @abstractmethod
    def input_dim(self) -> int:
        """D, the size of a feature vector."""

    @property
    @abstractmethod
    def title(self) -> str:
        """A short description."""

    @abstractmethod
    def start(self, features: Float[Array, "N *L D"]) -> State:
        """See `Decoder.start`; features as stored, not standardized."""

    @abstractmethod
    def step(self, tokens: Int[Array, " R"], state: State) -> tuple[Float[Array, "R V"], State]:
        """See `Decoder.step`."""

    def select(self, state: State, rows: Array) -> State:
        """See `Decoder.select`; for a state that is a tuple of arrays with one row each."""
        return tuple(part[rows] for part in state)

    def attention_weights(self, state: State) -> Float[Array, "R L"] | None:
        """Attention weights for the next token; None for a model without attention.

        Args:
            state: of the decoder.

        Returns:
            (R, L), with a sum of 1 per row.
        """
        return None

    def sample(self, features: Float[Array, "N *L D"], max_length: int = 30) -> Int[Array, "N L"]:
        """Decode greedily, as the course's `sample`.

        Args:
            features: of N images.
            max_length: maximum number of tokens.

        Returns:
            (N, max_length) int32 token ids, without `<START>`, `<NULL>` after `<END>`.

        Raises:
            ValueError: for a vocabulary without `<START>`.
        """
        if START not in self.word_to_idx:
            raise ValueError(f"word_to_idx: sampling needs {START}")
        ids = self.word_to_idx
        tokens, _ = greedy(
            self, features, Constraints(ids[START], ids.get(END), self.null, max_length)
        )
        return tokens


class ModelConfig(Config, frozen=True, kw_only=True):
    """Options of a kind of model; vocabulary and feature size are not options."""


class CaptioningModel(WordModel):
    """A model with trainable parameters.

    Args:
        word_to_idx: the vocabulary; `<NULL>` must be in it, `<START>` and `<END>` for decoding.
        input_dim: D.
        config: the options of the model.
        dtype: of parameters and computations: float32, or float64 for gradient checks.

    Attributes:
        params: the parameters, by name.
        feature_mean, feature_std: (D,) for the standardization of features; 0 and 1 unless set.
            They are stored in the checkpoint, and not trained.

    Raises:
        ValueError: for another dtype, or a vocabulary without `<NULL>`.
    """

    config_type: ClassVar[type[ModelConfig]]
    kind: ClassVar[str]
    """The name of the architecture in settings and checkpoints: the tag of its `config_type`."""

    params: dict[str, Array]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "config_type" in vars(cls):
            cls.kind = str(cls.config_type.__struct_config__.tag)

    def __init__(
        self,
        word_to_idx: dict[str, int],
        input_dim: int,
        config: ModelConfig,
        dtype: type[np.floating],
    ) -> None:
        if np.dtype(dtype) not in (np.float32, np.float64):
            raise ValueError(f"dtype {np.dtype(dtype)}: expected float32 or float64")
        super().__init__(word_to_idx)
        self.config = config
        self.dtype = dtype
        self.feature_mean = np.zeros(input_dim, dtype)
        self.feature_std = np.ones(input_dim, dtype)

    @classmethod
    def from_config(
        cls,
        config: ModelConfig,
        word_to_idx: dict[str, int],
        input_dim: int,
        rng: Random | None = None,
    ) -> "CaptioningModel":
        """A float32 model with these options, initialized with `rng`.

        Args:
            config: the options.
            word_to_idx: the vocabulary.
            input_dim: D.
            rng: for the initial parameters; None is NumPy's global state.
        """
        fields = msgspec.structs.asdict(config)
        return cls(word_to_idx, input_dim, rng=rng, **fields)  # type: ignore[call-arg]

    @property
    def title(self) -> str:
        """The kind, unless overridden."""
        return self.kind

    @abstractmethod
    def loss(
        self, batch: Batch, *, masks: Masks = NO_MASKS, label_smoothing: float = 0.0
    ) -> tuple[np.floating, dict[str, Array]]:
        """Forward and backward pass, layer by layer: the reference for engines.

        Args:
            batch: features and captions.
            masks: dropout masks by site; no dropout at other sites.
            label_smoothing: see `temporal_softmax_loss`.

        Returns:
            The loss, summed over tokens and averaged over captions, and the gradient of each
            parameter.

        Raises:
            ValueError: if the batch does not fit the model.
        """

    def dropout_sites(self, batch: Batch) -> dict[str, tuple[int, ...]]:
        """The sites where dropout can be applied, with the shapes of their masks.

        Args:
            batch: the batch.

        Returns:
            {site: shape of the mask}.
        """
        return {}

    @property
    def input_dim(self) -> int:
        """D, the size of a feature vector."""
        return self.feature_mean.size

    def __repr__(self) -> str:
        sizes = f"{self.num_parameters:,} parameters, {len(self.word_to_idx):,} words"
        return f"{type(self).__name__}({sizes})"

    @property
    def num_parameters(self) -> int:
        """Number of trainable parameters."""
        return sum(param.size for param in self.params.values())

    def features_of(self, batch: Batch) -> Float[Array, "M *L D"]:
        """The standardized features of a batch.

        Args:
            batch: the batch.

        Raises:
            ValueError: if the batch does not fit the model.
        """
        V, soft = len(self.word_to_idx), batch.soft_targets
        for name, tokens in (
            ("captions", batch.captions),
            ("inputs", batch.inputs),
            ("soft_targets", soft and soft.tokens),
        ):
            if tokens is not None and not 0 <= tokens.min() <= tokens.max() < V:
                raise ValueError(
                    f"{name}: token ids {tokens.min()} to {tokens.max()}, expected 0 to {V - 1}"
                )
        return self.standardize(batch.features)

    def standardize(self, features: Float[Array, "N *L D"]) -> Float[Array, "N *L D"]:
        """`(features - feature_mean) / feature_std`, in the model's dtype.

        Args:
            features: (N, D) or (N, L, D).

        Raises:
            ValueError: if the shape does not fit the model.
        """
        letters, D = ("N, L" if self.reads_grid else "N"), self.input_dim
        if features.ndim != 2 + self.reads_grid or features.shape[-1] != D:
            raise ValueError(
                f"features: expected ({letters}, D) = ({letters}, {D}), got {features.shape}"
            )
        features = features.astype(self.dtype, copy=False)
        if not self.feature_mean.any() and (self.feature_std == 1).all():
            return features
        out: Array = (features - self.feature_mean) / self.feature_std
        return out


def sum_by_image(
    d: Float[Array, "N ..."], image_idxs: Int[Array, " N"], num_images: int
) -> Float[Array, "M ..."]:
    """Sum gradients of captions by image.

    Args:
        d: (N, ...) gradients.
        image_idxs: (N,) index of the image of each caption.
        num_images: M.

    Returns:
        (M, ...).

    >>> sum_by_image(np.array([[1.0], [2.0], [4.0]]), np.array([1, 0, 1]), 2).tolist()
    [[2.0], [5.0]]
    """
    out = np.zeros((num_images, *d.shape[1:]), d.dtype)
    np.add.at(out, image_idxs, d)
    return out


def keep(x: Float[Array, "N ..."], mask: Float[Array, "..."] | None) -> Float[Array, "N ..."]:
    """Apply a dropout mask, to values or gradients; it is the same at every step or region.

    Args:
        x: (N, ...).
        mask: of x or, without the time axis, of its rows; None for no dropout.
    """
    if mask is None:
        return x
    kept: Array = x * (mask[:, None] if mask.ndim < x.ndim else mask)
    return kept
