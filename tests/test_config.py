from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest

from limner.config import Config, expected

Meta = msgspec.Meta


class Search(Config):
    beams: Annotated[int, Meta(ge=1, le=100)] = 3
    penalty: Annotated[float, Meta(ge=0, le=10)] = 1.0
    way: Literal["fast", "exact"] = "fast"
    words: tuple[str, ...] = ()
    file: Path | None = None
    top: Annotated[int, Meta(ge=1, le=9)] | None = None

    def without_effect(self) -> Iterator[tuple[bool, Sequence[str], str]]:
        yield self.beams == 1, ("penalty",), "`beams` 1"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"beams": 0}, "`beams` 0: expected a whole number from 1 to 100"),
        ({"beams": 10**30}, "`beams` 1000000000000000000000000000000: expected a whole number"),
        ({"beams": 1.5}, "`beams` 1.5: expected a whole number"),
        ({"beams": "3"}, "`beams` 3: expected a whole number"),
        ({"penalty": float("nan")}, "`penalty` nan: expected a number from 0 to 10"),
        ({"penalty": float("inf")}, "`penalty` inf: expected a number from 0 to 10"),
        ({"way": "slow"}, "`way` slow: expected one of fast, exact"),
        ({"top": 0}, "`top` 0: expected a whole number from 1 to 9"),
        ({"beams": 1, "penalty": 0.5}, "`penalty` has no effect with `beams` 1: leave it out"),
    ],
)
def test_values_that_do_not_fit(fields, message):
    with pytest.raises(ValueError, match=message):
        Search(**fields)
    with pytest.raises((ValueError, msgspec.ValidationError)):
        msgspec.convert(fields, Search)


def test_values_that_fit():
    made = Search(beams=5, words=("a",), file=Path("x"), top=9)
    assert made.changed(beams=7).beams == 7
    with pytest.raises(ValueError, match="`beams` 0"):
        made.changed(beams=0)


def test_expected_describes_limits():
    assert expected(Annotated[float, Meta(gt=0, lt=1)]) == "a number above 0, below 1"
    assert expected(bool) == "true or false"


def test_texts_may_be_paths():
    class Names(Config, frozen=True, kw_only=True):
        one: str | None = None
        several: tuple[str, ...] = ()
        file: Path | None = None

    given = Names(one=Path("a"), several=[Path("b"), "c"], file="d")
    assert given == Names(one="a", several=("b", "c"), file=Path("d"))
