"""What every captioning model has in common: a vocabulary, parameters, and a way to decode.

A model of another kind (a Transformer, say) subclasses `CaptioningModel`: parameters, `loss` with
its gradients, `initial_state`, `step` and `stepper`. Decoding, checkpoints, training runs and the
command line work with what is here.

Shapes: N captions of M pictures, T words, L words at most, V vocabulary.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from limner.arrays import Array, Float, Int
from limner.decoding import GREEDY, DecodingConfig, Limits, State, Step, decode, greedy
from limner.layers import Shared
from limner.vocabulary import END, NULL, START, UNK


@dataclass(frozen=True)
class Dropout:
    """Which share of the numbers is dropped in training, by place in the network.

    Attributes:
        embedding: of a word's vector.
        features: of what comes out of the picture's projection.
        output: of what the next word is read from.
    """

    embedding: float = 0.0
    features: float = 0.0
    output: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.embedding or self.features or self.output)


@dataclass(frozen=True)
class Masks:
    """What dropout multiplies with: 0 where a number is dropped, 1/(1 - rate) elsewhere.

    The same numbers of a caption are dropped at every time step, and the same numbers of a word
    wherever it stands in the batch. Source: Y. Gal and Z. Ghahramani, "A theoretically grounded
    application of dropout in recurrent neural networks", NIPS 2016.

    Attributes:
        embedding: (V, W), of word vectors.
        features: (M, K), of pictures.
        output: (N, R), of captions.
    """

    embedding: Float[Array, "V W"]
    features: Float[Array, "M K"]
    output: Float[Array, "N R"]


def draw_mask(
    rng: np.random.Generator | None, rate: float, shape: tuple[int, ...], dtype: type[np.floating]
) -> Array:
    """0 with probability `rate`, else 1/(1 - rate).

    >>> import numpy as np
    >>> draw_mask(np.random.default_rng(0), 0.5, (4,), np.float32)
    array([2., 2., 2., 0.], dtype=float32)
    """
    if not rate or rng is None:
        return np.ones(shape, dtype)
    kept = rng.random(shape, dtype=np.float32) >= rate
    mask: Array = kept * np.dtype(dtype).type(1 / (1 - rate))
    return mask


CHARACTERS = 6
"""What a word counts, where lengths are given in words and the vocabulary is of characters."""


class WordModel(ABC):
    """What gives scores for the next word, given a picture and the words before: enough to caption.

    Args:
        word_to_idx: the vocabulary; `<NULL>` must be in it, `<START>` and `<END>` for sampling.

    Raises:
        ValueError: for a vocabulary without `<NULL>`.
    """

    reads_grid: bool
    """Whether features are (N, L, D), of every place, and not (N, D)."""

    def __init__(self, word_to_idx: dict[str, int]) -> None:
        if NULL not in word_to_idx:
            raise ValueError(f"word_to_idx: {NULL} is missing")
        self.word_to_idx = word_to_idx
        self.idx_to_word = {index: word for word, index in word_to_idx.items()}
        self.null = word_to_idx[NULL]
        self.of_characters = " " in word_to_idx

    @property
    @abstractmethod
    def input_dim(self) -> int:
        """D, of the features."""

    @abstractmethod
    def initial_state(self, features: Float[Array, "N *_ D"]) -> State:
        """The state before the first word."""

    @abstractmethod
    def step(self, words: Int[Array, " N"], state: State) -> tuple[Float[Array, "N V"], State]:
        """Scores of the next word, after these words and this state; and the state after them."""

    @abstractmethod
    def stepper(self) -> Step:
        """`step`, prepared for many calls with parameters that do not change meanwhile.

        The scores are overwritten at the next call.
        """

    def look(self, state: State) -> Float[Array, "N L"] | None:
        """How much of the look before the next word goes to each place; adds up to 1.

        None for a model that does not attend to places.
        """
        return None

    def sample(self, features: Float[Array, "N *_ D"], max_length: int = 30) -> Int[Array, "N L"]:
        """The likeliest word at every step, as the course's `sample`.

        Args:
            features: of N pictures.
            max_length: L, words at most.

        Returns:
            (N, L) int32 word ids: the first word sampled (not `<START>`) in column 0, `<NULL>`
            after `<END>`.
        """
        if START not in self.word_to_idx:
            raise ValueError(f"word_to_idx: sampling needs {START}")
        ids = self.word_to_idx
        limits = Limits(ids[START], ids.get(END), self.null, max_length)
        words, _ = greedy(self.stepper(), self.initial_state(features), len(features), limits)
        return words

    def caption(
        self, features: Float[Array, "N *_ D"], max_length: int = 30, beam_size: int = 1
    ) -> tuple[Int[Array, "N L"], Float[Array, " N"]]:
        """Captions to show to people: never `<UNK>` or a special word.

        Args:
            features: of N pictures.
            max_length: L, words at most.
            beam_size: 1 takes the likeliest word at every step, as `sample`; more searches.

        Returns:
            (N, L) word ids, and each caption's mean log-probability per word (N,), the closer to
            zero the surer.
        """
        how = GREEDY.changed(beam_size=beam_size, max_length=max_length)
        words, log_probs = self.decode(features, how)
        return words[:, 0], log_probs[:, 0] / (words[:, 0] != self.null).sum(axis=1)

    def decode(
        self,
        features: Float[Array, "N *_ D"],
        how: DecodingConfig,
        rng: np.random.Generator | None = None,
    ) -> tuple[Int[Array, "N n L"], Float[Array, "N n"]]:
        """Captions chosen as told, never `<NULL>` or `<START>`, and `<UNK>` only if asked for.

        Args:
            features: of N pictures.
            how: the captions are chosen.
            rng: draws the words, where they are drawn; None begins with the seed of `how`.

        Returns:
            (N, n, L) word ids, the best caption of each picture first, and their log-probabilities
            (N, n), -inf where there are not so many.

        Raises:
            ValueError: if the model does not know a forced word, or may not say it.
        """
        ids = self.word_to_idx
        never = [NULL, START, *([] if how.say_unk else [UNK]), *how.forbidden]
        word = CHARACTERS if self.of_characters else 1
        limits = Limits(
            ids[START],
            ids[END],
            self.null,
            how.max_length * word,
            how.min_length * word,
            [ids[word] for word in never if word in ids and word != END],
            how.no_repeat_ngram * word,
        )
        unknown = [word for word in how.forced if word not in ids]
        if unknown:
            raise ValueError(f"{unknown[0]!r}: the model does not know this word")
        silent = [word for word in how.forced if word in never or word == END]
        if silent:
            raise ValueError(f"{silent[0]!r}: a word that is never said, and cannot be forced")
        forced = [ids[word] for word in how.forced]
        state = self.initial_state(features)
        return decode(self.stepper(), state, len(features), limits, how, forced, rng)


class CaptioningModel(WordModel):
    """A model that reads features of pictures and writes captions.

    Args:
        word_to_idx: the vocabulary; `<NULL>` must be in it, `<START>` and `<END>` for sampling.
        dtype: of the parameters and of all that is computed; float32, or float64 for gradient
            checks (halves are too small for Adam's epsilon).

    Attributes:
        params: what is learned, by name.
        feature_mean, feature_std: (D,) the features are standardised by them before anything else;
            0 and 1 unless set. They are kept in the checkpoint, and not learned.

    Raises:
        ValueError: for another dtype, or a vocabulary without `<NULL>`.
    """

    kind: ClassVar[str]
    """The name of the architecture, in settings and checkpoints."""

    params: dict[str, Array]

    def __init__(
        self, word_to_idx: dict[str, int], input_dim: int, dtype: type[np.floating]
    ) -> None:
        if np.dtype(dtype) not in (np.float32, np.float64):
            raise ValueError(f"dtype {np.dtype(dtype)}: expected float32 or float64")
        super().__init__(word_to_idx)
        self.dtype = dtype
        self.feature_mean = np.zeros(input_dim, dtype)
        self.feature_std = np.ones(input_dim, dtype)

    @property
    @abstractmethod
    def title(self) -> str:
        """What it is, in a word or two for people."""

    @property
    @abstractmethod
    def config(self) -> dict[str, Any]:
        """The arguments, less the vocabulary, that make a model of this shape."""

    @abstractmethod
    def loss(
        self,
        features: Float[Array, "M *_ D"],
        captions: Int[Array, "N T"],
        image_idxs: Int[Array, " N"] | None = None,
        weights: Float[Array, " N"] | None = None,
        smoothing: float = 0.0,
        masks: Masks | None = None,
        inputs: Int[Array, "N T-1"] | None = None,
        shared: Shared | None = None,
    ) -> tuple[np.floating, dict[str, Array]]:
        """Forward and backward, layer by layer: the reference that faster engines must match.

        Args:
            features: of M pictures.
            captions: (N, T) word ids; T >= 2. Words 0 to T-2 go in, words 1 to T-1 are expected.
                `<NULL>` is not expected anywhere, wherever it stands.
            image_idxs: (N,) the picture of every caption; None where there is one caption each.
            weights: (N,) what every caption counts, 1 if None.
            smoothing: of the labels, see `temporal_softmax_loss`.
            masks: of dropout; None drops nothing.
            inputs: (N, T - 1) word ids that go in, where they are not the captions' own.
            shared: (N, T - 1, K) what other words have of what is expected.

        Returns:
            The loss, summed over words and averaged over captions, and its gradient by every
            parameter.

        Raises:
            ValueError: if the shapes do not fit the model or each other.
        """

    @abstractmethod
    def draw_masks(
        self,
        dropout: Dropout,
        num_images: int,
        num_captions: int,
        rng: np.random.Generator | None = None,
    ) -> Masks:
        """Masks for a batch of so many pictures and captions; without `rng` nothing is dropped."""

    @property
    def input_dim(self) -> int:
        """D, of the features."""
        return self.feature_mean.size

    @property
    def num_parameters(self) -> int:
        """How many numbers the model learns."""
        return sum(param.size for param in self.params.values())

    def standardise(self, features: Float[Array, "N *_ D"]) -> Float[Array, "N *_ D"]:
        """`(features - feature_mean) / feature_std`, in the model's dtype; checks the shape."""
        out: Array = (self._checked(features) - self.feature_mean) / self.feature_std
        return out

    def checked_batch(
        self,
        features: Float[Array, "M *_ D"],
        captions: Int[Array, "N T"],
        image_idxs: Int[Array, " N"] | None = None,
        inputs: Int[Array, "N T-1"] | None = None,
        shared: Shared | None = None,
    ) -> tuple[Float[Array, "M *_ D"], Int[Array, " N"]]:
        """The standardised features, and every caption's picture; ValueError if they do not fit."""
        features = self._checked(features)
        N = len(features) if image_idxs is None else len(image_idxs)
        if captions.ndim != 2 or len(captions) != N or captions.shape[1] < 2:
            raise ValueError(
                f"captions: expected (N, T) = ({N}, 2 or more) to go with features "
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
        if inputs is not None and inputs.shape != (N, captions.shape[1] - 1):
            raise ValueError(
                f"inputs: expected {(N, captions.shape[1] - 1)} to go with captions "
                f"{captions.shape}, got {inputs.shape}"
            )
        if shared is not None and shared.words.shape[:2] != (N, captions.shape[1] - 1):
            raise ValueError(
                f"shared: expected {(N, captions.shape[1] - 1, 'K')} to go with captions "
                f"{captions.shape}, got {shared.words.shape}"
            )
        if image_idxs is None:
            image_idxs = np.arange(N)
        elif not 0 <= image_idxs.min() <= image_idxs.max() < len(features):
            raise ValueError(f"image_idxs: expected 0 to {len(features) - 1}")
        return self.standardise(features), image_idxs

    @abstractmethod
    def _checked(self, features: Array) -> Array:
        """The features in the model's dtype; ValueError if their shape does not fit."""
