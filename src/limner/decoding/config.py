"""Options of decoding."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import msgspec
import numpy as np

from limner.config import MANY, Config, Seed

MOST = 10_000
"""Limit of numbers of words, beams and captions."""

Meta = msgspec.Meta
Positive = Annotated[int, Meta(ge=1, le=MOST)]
Count = Annotated[int, Meta(ge=0, le=MOST)]
Amount = Annotated[float, Meta(ge=0, le=100)]

OFF: dict[str, Any] = {"beam_size": 1, "length_penalty": 0.0, "no_repeat_ngram": 0}
"""Values that disable an option: they are always allowed, and omitted from descriptions."""


class DecodingConfig(Config, frozen=True, kw_only=True):
    """Options of decoding, with the defaults of all commands.

    Raises:
        ValueError: for a value out of its limits, or an option without effect.

    >>> DecodingConfig(temperature=0.7, groups=3)
    Traceback (most recent call last):
    ValueError: `groups` has no effect with `temperature` 0.7: leave it out
    """

    beam_size: Annotated[Positive, Meta(description="Number of beams; 1 decodes greedily.")] = 3
    n_best: Annotated[Positive, Meta(description="Number of captions for each image.")] = 1
    length_penalty: Annotated[
        Amount,
        Meta(description="Exponent of the beam search's length penalty; larger favors longer."),
    ] = 1.0
    max_length: Annotated[
        Positive, Meta(description="Maximum length in words, including the end token.")
    ] = 30
    min_length: Annotated[Count, Meta(description="Minimum length in words.")] = 0
    no_repeat_ngram: Annotated[
        Count, Meta(description="Length of n-grams that must not repeat; 0 allows all.")
    ] = 2
    allow_unk: Annotated[
        bool, Meta(description="Allow the unknown token <UNK>.", extra={"option": "--unk"})
    ] = False
    forbidden: Annotated[
        tuple[str, ...],
        Meta(description="Forbid a word; repeat for several.", extra={"option": "--forbid"}),
    ] = ()
    forced: Annotated[
        tuple[str, ...],
        Meta(
            description="Require a word in every caption; repeat for several.",
            extra={"option": "--force"},
        ),
    ] = ()
    groups: Annotated[
        Positive, Meta(description="Number of beam groups (diverse beam search).")
    ] = 1
    diversity: Annotated[
        Amount,
        Meta(description="Penalty for words that earlier groups chose at the same position."),
    ] = 0.5
    temperature: (
        Annotated[
            float,
            Meta(
                ge=0.01,
                le=100,
                description="Sample at this temperature instead of beam search; values "
                "below 1 favor likely words.",
            ),
        ]
        | None
    ) = None
    top_k: (
        Annotated[int, Meta(ge=1, le=MANY, description="Sample from this many most likely words.")]
        | None
    ) = None
    top_p: Annotated[
        float,
        Meta(
            gt=0,
            le=1,
            description="Sample from the most likely words up to this total probability.",
        ),
    ] = 1.0
    seed: Annotated[Seed, Meta(description="Random seed for sampling.")] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.min_length >= self.max_length:
            raise ValueError(
                f"`min_length` {self.min_length}: expected 0 to {self.max_length - 1} words"
            )
        if self.beams % self.groups:
            raise ValueError(
                f"`groups` {self.groups}, `beam_size` {self.beams}: expected a multiple of "
                f"`groups`, e.g. {self.groups * -(-self.beams // self.groups)}"
            )
        if both := set(self.forced) & set(self.forbidden):
            raise ValueError(f"`forced` and `forbidden` both have {min(both)!r}: leave one out")
        if len(self.forced) >= self.max_length:
            raise ValueError(
                f"`max_length` {self.max_length}: expected more than the {len(self.forced)} words "
                "of `forced`"
            )

    def without_effect(self) -> Iterator[tuple[bool, Sequence[str], str]]:
        """See `Config.without_effect`; a value that disables its option is allowed."""
        drawn = self.temperature is not None
        searching = ("beam_size", "length_penalty", "groups", "diversity", "forced")
        on = [name for name in searching if getattr(self, name) != OFF.get(name)]
        yield drawn, on, f"`temperature` {self.temperature}"
        yield not drawn, ("top_k", "top_p", "seed"), "`temperature` unset"
        yield self.groups == 1, ("diversity",), "`groups` 1"
        yield self.greedy and self.length_penalty > 0, ("length_penalty",), "`beam_size` 1"

    @property
    def beams(self) -> int:
        """Number of beams: `beam_size`, but at least `n_best`."""
        return max(self.beam_size, self.n_best)

    @property
    def greedy(self) -> bool:
        """Whether decoding is greedy."""
        return self.temperature is None and self.beams == 1 and not self.forced

    def new_rng(self) -> np.random.Generator:
        """The random generator for sampling; use one for all batches."""
        return np.random.default_rng(self.seed)

    def __str__(self) -> str:
        """The options that have an effect, as text for results.

        >>> str(GREEDY), str(DecodingConfig(beam_size=5, no_repeat_ngram=0))
        ('greedy', 'beam search, 5 beams, length_penalty 1.0')
        """
        if self.temperature is not None:
            method = f"sampling, temperature {self.temperature}"
        else:
            beams = f"{self.beams} beam{'s' if self.beams > 1 else ''}"
            method = "greedy" if self.greedy else f"beam search, {beams}"
        idle = {name for applies, names, _ in self.without_effect() if applies for name in names}
        others = [
            f"{field.name} {getattr(self, field.name)}"
            for field in msgspec.structs.fields(self)
            if field.name not in idle | {"beam_size", "temperature"}
            and getattr(self, field.name) != OFF.get(field.name, field.default)
        ]
        return ", ".join([method, *others])


GREEDY = DecodingConfig(**OFF)
"""Greedy decoding, without constraints."""
