"""One way in to every decoder.

Shapes: N pictures, n captions of each, L words at most.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from limner.arrays import Array, Float, Int
from limner.decoding.beam import beam_search
from limner.decoding.limits import Limits, State, Step, rows_of
from limner.decoding.walk import greedy, sample

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
    step: Step,
    state: State,
    num_captions: int,
    limits: Limits,
    how: Decoding,
    forced: Sequence[int] = (),
    rng: np.random.Generator | None = None,
) -> tuple[Int[Array, "N n L"], Float[Array, "N n"]]:
    """Decode as told; `forced` are the ids of `how.forced`, and `rng` draws, or a new one.

    Returns:
        words (N, n, L), the best caption first, and their log-probabilities (N, n).

    >>> def step(words, state):  # after word w says w + 1
    ...     return 5.0 * np.eye(4)[(words + 1) % 4], state
    >>> limits = Limits(start=1, end=3, max_length=3)
    >>> decode(step, (), 1, limits, Decoding(beam_size=2, n_best=2))[0]
    array([[[2, 3, 0],
            [2, 0, 1]]], dtype=int32)
    """
    N, n = num_captions, how.n_best
    if how.temperature is not None:
        rows = np.repeat(np.arange(N), n)
        words, log_probs = sample(
            step,
            rows_of(state, rows),
            N * n,
            limits,
            rng or how.new_rng(),
            temperature=how.temperature,
            top_k=how.top_k,
            top_p=how.top_p,
        )
        words, log_probs = words.reshape(N, n, -1), log_probs.reshape(N, n)
        order = np.argsort(-log_probs, axis=1, kind="stable")
        return (
            np.take_along_axis(words, order[:, :, None], axis=1),
            np.take_along_axis(log_probs, order, axis=1),
        )
    if how.beams == 1 and not forced:
        words, log_probs = greedy(step, state, N, limits)
        return words[:, None], log_probs[:, None]
    return beam_search(
        step,
        state,
        N,
        limits,
        beam_size=how.beams,
        n_best=n,
        length_penalty=how.length_penalty,
        forced=forced,
        groups=how.groups,
        diversity=how.diversity,
    )
