"""What every captioning model has in common: a vocabulary, parameters, a loss, and decoding.

A model of another kind subclasses `CaptioningModel` in a file of its own: a struct with its options
(`ModelConfig`), parameters, `loss` with its gradients, `start` and `step`. With an entry in
`limner.models.MODELS` it trains, decodes, is saved, loaded and captions.

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
"""What dropout multiplies with, by site: 0 where a number is dropped, 1/(1 - rate) elsewhere."""

NO_MASKS: Masks = MappingProxyType({})


class WordModel(ABC):
    """A decoder with a vocabulary: enough to caption. See `limner.decoding.Decoder`.

    Args:
        word_to_idx: the vocabulary; `<NULL>` must be in it, `<START>` and `<END>` for decoding.

    Raises:
        ValueError: for a vocabulary without `<NULL>`.
    """

    reads_grid: bool
    """Whether features are (N, L, D), of every region, and not (N, D)."""

    def __init__(self, word_to_idx: dict[str, int]) -> None:
        if NULL not in word_to_idx:
            raise ValueError(f"word_to_idx: {NULL} is missing")
        self.word_to_idx = word_to_idx
        self.idx_to_word = {index: word for word, index in word_to_idx.items()}
        self.null = word_to_idx[NULL]

    @property
    @abstractmethod
    def input_dim(self) -> int:
        """D, of the features."""

    @property
    @abstractmethod
    def title(self) -> str:
        """A short description for people."""

    @abstractmethod
    def start(self, features: Float[Array, "N *L D"]) -> State:
        """See `Decoder.start`; features as they are stored."""

    @abstractmethod
    def step(self, tokens: Int[Array, " R"], state: State) -> tuple[Float[Array, "R V"], State]:
        """See `Decoder.step`."""

    def select(self, state: State, rows: Array) -> State:
        """See `Decoder.select`; here for a state that is a tuple of parts indexed by row."""
        return tuple(part[rows] for part in state)

    def attention_weights(self, state: State) -> Float[Array, "R L"] | None:
        """The attention weights before the next token, a sum of 1 over the regions.

        None for a model without attention.
        """
        return None

    def sample(self, features: Float[Array, "N *L D"], max_length: int = 30) -> Int[Array, "N L"]:
        """The likeliest token at every step, as the course's `sample`.

        Args:
            features: of N images.
            max_length: tokens at most.

        Returns:
            (N, max_length) int32 token ids: the first one predicted (not `<START>`) in column 0,
            `<NULL>` after `<END>`.

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
    """The options of a kind of model, less what the data determine (vocabulary and features)."""


class CaptioningModel(WordModel):
    """A model with parameters that are learned.

    Args:
        word_to_idx: the vocabulary; `<NULL>` must be in it, `<START>` and `<END>` for decoding.
        input_dim: D.
        config: the options that the model is made with.
        dtype: of the parameters and of all that is computed; float32, or float64 for gradient
            checks (halves are too small for Adam's epsilon).

    Attributes:
        params: the parameters, by name.
        feature_mean, feature_std: (D,) the features are standardized by them before anything else;
            0 and 1 unless set. They are kept in the checkpoint, and not learned.

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
        """A float32 model with these options, its parameters drawn from `rng`."""
        fields = msgspec.structs.asdict(config)
        return cls(word_to_idx, input_dim, rng=rng, **fields)  # type: ignore[call-arg]

    @property
    def title(self) -> str:
        """The kind; a class may say more."""
        return self.kind

    @abstractmethod
    def loss(
        self, batch: Batch, *, masks: Masks = NO_MASKS, label_smoothing: float = 0.0
    ) -> tuple[np.floating, dict[str, Array]]:
        """Forward and backward, layer by layer: the reference that engines must match.

        Args:
            batch: features and captions.
            masks: of dropout, by site; a site without a mask drops nothing.
            label_smoothing: see `temporal_softmax_loss`.

        Returns:
            The loss, summed over tokens and averaged over captions, and its gradient by every
            parameter.

        Raises:
            ValueError: if the batch does not fit the model.
        """

    def dropout_sites(self, batch: Batch) -> dict[str, tuple[int, ...]]:
        """Where dropout may stand, and the shape of its mask there; none unless a model has any."""
        return {}

    @property
    def input_dim(self) -> int:
        """D, of the features."""
        return self.feature_mean.size

    @property
    def num_parameters(self) -> int:
        """How many numbers the model learns."""
        return sum(param.size for param in self.params.values())

    def features_of(self, batch: Batch) -> Float[Array, "M *L D"]:
        """The standardized features of a batch that fits this model.

        Raises:
            ValueError: if it does not.
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
    """Gradients by caption, summed by image: an image's captions share it.

    >>> sum_by_image(np.array([[1.0], [2.0], [4.0]]), np.array([1, 0, 1]), 2).tolist()
    [[2.0], [5.0]]
    """
    out = np.zeros((num_images, *d.shape[1:]), d.dtype)
    np.add.at(out, image_idxs, d)
    return out


def keep(x: Float[Array, "N ..."], mask: Float[Array, "..."] | None) -> Float[Array, "N ..."]:
    """Dropout, forward and backward alike; the same mask at every time step or region."""
    if mask is None:
        return x
    kept: Array = x * (mask[:, None] if mask.ndim < x.ndim else mask)
    return kept
