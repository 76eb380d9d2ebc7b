"""Configuration that is declared once.

A setting is a field of a struct: its type, limits, default and help text stand there, and
nowhere else. Files are converted to these structs, command-line options are generated from them
(`limner.cli.options`).
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Self, get_args, get_origin, get_type_hints

import msgspec

MANY = 1_000_000
"""The limit of counts and amounts that have no smaller one: what is above is a mistake."""

MAX_SEED = 2**63 - 1

Positive = Annotated[int, msgspec.Meta(ge=1, le=MANY)]
Seed = Annotated[int, msgspec.Meta(ge=0, le=MAX_SEED)]


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the structs that hold options; every value is checked, however it is made.

    A subclass says `frozen=True, kw_only=True` again, for type checkers and for its own fields.
    A field is annotated with its limits and its help::

        beam_size: Annotated[int, Meta(ge=1, le=10_000, description="Number of beams.")] = 3

    `Meta(extra={"option": "--unk"})` names an option that is not called as its field, and
    `"expected"` says in words what a field takes where its type does not; `"metavar"` and
    `"argument": True` are for the command line. Values of the same
    meaning are kept as one: 1 in a field of floats as 1.0, a list in one of tuples as a tuple.

    Raises:
        ValueError: for a value that does not fit its type or limits, or an option that has no
            effect with the others (see `without_effect`).

    >>> class Sampling(Config, frozen=True, kw_only=True):
    ...     temperature: Annotated[float, msgspec.Meta(gt=0, le=100)] = 1.0
    >>> Sampling(temperature=0.5)
    Sampling(temperature=0.5)
    >>> Sampling(temperature=10**18)
    Traceback (most recent call last):
    ValueError: `temperature` 1000000000000000000: expected a number above 0, at most 100
    """

    def __post_init__(self) -> None:
        for name, annotation in annotations(type(self)).items():
            value = getattr(self, name)
            if isinstance(value, Config) and isinstance(value, annotation):
                continue  # checked when it was made
            plain = value.item() if hasattr(value, "item") else value  # of a NumPy scalar
            try:
                msgspec.structs.force_setattr(
                    self, name, msgspec.convert(_text_of_paths(plain), annotation, dec_hook=_path)
                )
            except msgspec.ValidationError:
                raise _misfit(name, value, annotation) from None
        changed = self.set_fields()
        for applies, names, condition in self.without_effect():
            for name in names if applies else ():
                if name in changed:
                    raise ValueError(f"`{name}` has no effect with {condition}: leave it out")

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """From untyped values, as a file gives them.

        Args:
            values: {field: value}.

        Raises:
            ValueError: for a name that is no field, or a value that does not fit.
        """
        cls._refuse_unknown(values)
        return cls(**values)

    @classmethod
    def _refuse_unknown(cls, values: Mapping[str, Any]) -> None:
        known = annotations(cls)
        for name in values:
            if name not in known:
                raise ValueError(f"`{name}`: no such setting; there are {', '.join(known)}")

    def without_effect(self) -> Iterator[tuple[bool, Sequence[str], str]]:
        """Conditions, the fields that have no effect under them, and the condition in words."""
        yield from ()

    def changed(self, **fields: Any) -> Self:
        """A copy with other values for some fields; raises ValueError as `from_values`."""
        self._refuse_unknown(fields)
        return msgspec.structs.replace(self, **fields)

    def set_fields(self) -> dict[str, Any]:
        """The fields that do not have their default, with their values.

        >>> class Sampling(Config):
        ...     temperature: float = 1.0
        ...     words: dict[str, int] = {}
        >>> Sampling(temperature=0.5).set_fields(), Sampling().set_fields()
        ({'temperature': 0.5}, {})
        """
        found = {}
        for one in msgspec.structs.fields(self):
            made = one.default_factory is not msgspec.NODEFAULT
            if getattr(self, one.name) != (one.default_factory() if made else one.default):
                found[one.name] = getattr(self, one.name)
        return found


def _text_of_paths(value: Any) -> Any:
    """A value with paths as text; `_path` makes paths of them where a field takes paths."""
    if isinstance(value, list | tuple):
        return [_text_of_paths(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def _path(kind: type, value: object) -> object:
    """A path, which may be given as text."""
    if kind is Path and isinstance(value, str | Path):
        return Path(value)
    raise TypeError(kind)


def _misfit(name: str, value: object, annotation: Any) -> ValueError:
    return ValueError(f"`{name}` {value!s:.60}: expected {expected(annotation)}")


def sha256_of_json(value: object) -> str:
    """SHA-256 of a JSON-able value, in hexadecimal; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


@cache
def annotations(config: type[msgspec.Struct]) -> Mapping[str, Any]:
    """The fields of a struct with their annotated types."""
    hints = get_type_hints(config, include_extras=True)
    return {field.name: hints[field.name] for field in msgspec.structs.fields(config)}


def meta_of(annotation: Any) -> tuple[Any, msgspec.Meta]:
    """The type inside an annotation, without None, and its limits and help.

    >>> meta_of(Annotated[int, msgspec.Meta(ge=1)] | None)
    (<class 'int'>, msgspec.Meta(ge=1))
    """
    if get_origin(annotation) is Annotated:
        inner, *metas = get_args(annotation)
        kind, meta = meta_of(inner)
        return kind, _merged([meta, *(one for one in metas if isinstance(one, msgspec.Meta))])
    options = [one for one in get_args(annotation) if one is not type(None)]
    if len(options) == 1 and len(get_args(annotation)) == 2 and options[0] is not Ellipsis:
        return meta_of(options[0])  # X | None
    return annotation, msgspec.Meta()


def _merged(metas: Sequence[msgspec.Meta]) -> msgspec.Meta:
    """One of several; the later come before."""
    given = {
        name: getattr(meta, name)
        for meta in metas
        for name in ("ge", "gt", "le", "lt", "description", "extra")
        if getattr(meta, name) is not None
    }
    return msgspec.Meta(**given)


KINDS = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    Path: "a path",
    tuple: "a list",
    list: "a list",
}


def expected(annotation: Any) -> str:
    """What a field takes, in words.

    >>> expected(Annotated[int, msgspec.Meta(ge=1, le=10_000)])
    'a whole number from 1 to 10,000'
    """
    kind, meta = meta_of(annotation)
    if meta.extra and "expected" in meta.extra:
        return str(meta.extra["expected"])
    choices = [one for one in get_args(kind) if isinstance(one, str)]
    if choices:
        return f"one of {', '.join(choices)}"
    words = KINDS.get(get_origin(kind) or kind, str(getattr(kind, "__name__", kind)))
    if meta.ge is not None and meta.le is not None:
        highest = "2**63 - 1" if meta.le == MAX_SEED else f"{meta.le:,}"
        return f"{words} from {meta.ge:,} to {highest}"
    limits = [
        f"{word} {limit:,}"
        for word, limit in (
            ("from", meta.ge),
            ("above", meta.gt),
            ("at most", meta.le),
            ("below", meta.lt),
        )
        if limit is not None
    ]
    return " ".join([words, ", ".join(limits)]).rstrip()
