"""One way in to every decoder.

Shapes: N pictures, n captions of each, L words at most.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from limner.arrays import Array, Float, Int
from limner.decoding.beam import beam_search
from limner.decoding.constraints import Constraints
from limner.decoding.decoder import Decoder
from limner.decoding.sampling import greedy, sample
from limner.randomness import Random
from limner.vocabulary import END, NULL, START, UNK

CHARACTERS = 6
"""What a word counts, where lengths are given in words and the vocabulary is of characters."""

MOST = 10_000
"""Words, beams and captions: with more, memory or patience ends first."""

LOWEST, HIGHEST = 0.01, 100.0
"""Of temperatures; and penalties are not above it."""


@dataclass(frozen=True)
class Decoding:
    """How captions are chosen; the defaults take the likeliest word at every step.

    Attributes:
        beam_size: captions followed at once; with n_best above it, n_best.
        n_best: n, captions of each picture.
        length_penalty: see `beam_search`.
        max_length, min_length, no_repeat_ngram: see `Limits`; lengths are in words, and for a model
            that says characters, in six of them.
        say_unk: whether `<UNK>` may be said.
        forbidden: words that may not be said; those that the model does not know are none.
        forced: words that every caption must have, see `beam_search`.
        groups, diversity: see `beam_search`.
        temperature: draws the words by chance, see `sample`; None searches for the likeliest.
        top_k, top_p: see `sample`.
        seed: of the drawing.

    Raises:
        ValueError: for numbers that make no sense.
    """

    beam_size: int = 1
    n_best: int = 1
    length_penalty: float = 0.0
    max_length: int = 30
    min_length: int = 0
    no_repeat_ngram: int = 0
    say_unk: bool = False
    forbidden: tuple[str, ...] = ()
    forced: tuple[str, ...] = ()
    groups: int = 1
    diversity: float = 0.5
    temperature: float | None = None
    top_k: int | None = None
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        sizes = self.max_length, self.beam_size, self.n_best
        if min(sizes) < 1 or max(sizes) > MOST:
            raise ValueError(
                f"max_length {self.max_length}, beam_size {self.beam_size}, n_best "
                f"{self.n_best}: expected 1 to {MOST:,}"
            )
        if not 0 <= self.min_length < self.max_length:
            raise ValueError(
                f"min_length {self.min_length}: expected 0 to {self.max_length - 1} words"
            )
        if self.temperature is not None and not LOWEST <= self.temperature <= HIGHEST:
            raise ValueError(
                f"temperature {self.temperature}: expected {LOWEST:g} to {HIGHEST:g}, e.g. 0.7"
            )
        if self.temperature is None and (self.top_k is not None or self.top_p != 1):
            raise ValueError("top_k and top_p choose what is drawn: give a temperature too, e.g. 1")
        if self.temperature is not None and (self.forced or self.groups > 1):
            raise ValueError("forced words and groups are for searching: leave the temperature out")
        if not (0 <= self.length_penalty <= HIGHEST and 0 <= self.diversity <= HIGHEST):
            raise ValueError(
                f"length_penalty {self.length_penalty}, diversity {self.diversity}: "
                f"expected 0 to {HIGHEST:g}"
            )
        if self.groups < 1 or self.beams % self.groups:
            raise ValueError(
                f"groups {self.groups}, beam_size {self.beams}: expected a multiple of groups, "
                f"e.g. {self.groups * -(-self.beams // max(self.groups, 1))}"
            )
        if both := set(self.forced) & set(self.forbidden):
            raise ValueError(f"{min(both)!r}: forced and forbidden")
        if len(self.forced) >= self.max_length:
            raise ValueError(f"max_length {self.max_length}: no room for the forced words")

    @property
    def beams(self) -> int:
        """Captions followed at once: enough for `n_best`."""
        return max(self.beam_size, self.n_best)

    def new_rng(self) -> np.random.Generator:
        """What words are drawn from: one for all batches, or each would have the same luck."""
        return np.random.default_rng(self.seed)

    def __str__(self) -> str:
        """The way of decoding in words, as provenance.

        >>> str(Decoding()), str(Decoding(beam_size=5, length_penalty=1.0))
        ('greedy', 'beam search, 5 beams, length_penalty 1.0')
        """
        said = {"beam_size", "temperature"}
        if self.temperature is not None:
            way = f"drawn, temperature {self.temperature}"
        elif self.beams == 1 and not self.forced:
            way = "greedy"
            said |= {"length_penalty"}
        else:
            way = f"beam search, {self.beams} beams"
        usual = Decoding()
        others = [
            f"{field.name} {getattr(self, field.name)}"
            for field in fields(self)
            if field.name not in said and getattr(self, field.name) != getattr(usual, field.name)
        ]
        return ", ".join([way, *others])


USUAL = Decoding(beam_size=3, length_penalty=1.0, no_repeat_ngram=2)
"""How captions for people are chosen, where nobody says otherwise."""


def decode(
    decoder: Decoder,
    features: Float[Array, "N *L D"],
    how: Decoding,
    word_to_idx: Mapping[str, int],
    rng: Random | None = None,
) -> tuple[Int[Array, "N n L"], Float[Array, "N n"]]:
    """Captions chosen as told, never `<NULL>` or `<START>`, and `<UNK>` only if asked for.

    Args:
        decoder: of a model with this vocabulary.
        features: of N images.
        how: the captions are chosen.
        word_to_idx: the vocabulary.
        rng: draws the words, where they are drawn; None is NumPy's global state.

    Returns:
        (N, n, L) token ids, the best caption of each image first, and their log-probabilities
        (N, n), -inf where there are not so many.

    Raises:
        ValueError: for a forced word that the vocabulary does not have, or that captions never
            have.

    >>> from limner.decoding import BigramDecoder, Decoding
    >>> words = {"<NULL>": 0, "<START>": 1, "a": 2, "<END>": 3}
    >>> decoder = BigramDecoder(5.0 * np.roll(np.eye(4), 1, axis=1))  # token i + 1 follows i
    >>> decode(decoder, np.zeros((1, 0)), Decoding(beam_size=2, n_best=2, max_length=3), words)[0]
    array([[[2, 3, 0],
            [3, 0, 0]]], dtype=int32)
    """
    constraints, forced = caption_constraints(how, word_to_idx)
    if how.temperature is not None:
        return _best_first(
            *sample(
                decoder,
                features,
                constraints,
                rng,
                per_image=how.n_best,
                temperature=how.temperature,
                top_k=how.top_k,
                top_p=how.top_p,
            ),
            how.n_best,
        )
    if how.beams == 1 and not forced:
        tokens, log_probs = greedy(decoder, features, constraints)
        return tokens[:, None], log_probs[:, None]
    return beam_search(
        decoder,
        features,
        constraints,
        beam_size=how.beams,
        n_best=how.n_best,
        length_penalty=how.length_penalty,
        forced=forced,
        groups=how.groups,
        diversity=how.diversity,
    )


def caption_constraints(
    how: Decoding, word_to_idx: Mapping[str, int]
) -> tuple[Constraints, list[int]]:
    """The constraints on captions in a vocabulary, and the ids of the forced words.

    Raises:
        ValueError: as `decode`.
    """
    ids = word_to_idx
    unknown = [word for word in how.forced if word not in ids]
    if unknown:
        raise ValueError(f"{unknown[0]!r}: the model does not know this word")
    never = [NULL, START, *([] if how.say_unk else [UNK]), *how.forbidden]
    silent = [word for word in how.forced if word in never or word == END]
    if silent:
        raise ValueError(f"{silent[0]!r}: a word that is never said, and cannot be forced")
    unit = CHARACTERS if " " in ids else 1
    constraints = Constraints(
        ids[START],
        ids[END],
        ids[NULL],
        how.max_length * unit,
        how.min_length * unit,
        [ids[word] for word in never if word in ids and word != END],
        how.no_repeat_ngram * unit,
    )
    return constraints, [ids[word] for word in how.forced]


def _best_first(
    tokens: Int[Array, "Nn L"], log_probs: Float[Array, " Nn"], n: int
) -> tuple[Int[Array, "N n L"], Float[Array, "N n"]]:
    """n captions of each image, sorted by probability."""
    tokens, log_probs = tokens.reshape(-1, n, tokens.shape[1]), log_probs.reshape(-1, n)
    order = np.argsort(-log_probs, axis=1, kind="stable")
    return (
        np.take_along_axis(tokens, order[:, :, None], axis=1),
        np.take_along_axis(log_probs, order, axis=1),
    )
