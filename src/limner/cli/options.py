"""Command-line options made from the fields of `Config` structs: the only declaration.

A parameter of a command that is annotated with a struct becomes one option for each of its fields::

    @struct_options
    def caption(images: ..., *, how: DecodingConfig) -> None: ...

`Annotated[dict[str, Any], Given(TrainConfig)]` makes the same options and passes a dict of those
that were given, by field; the command validates their combination.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import typer

from limner.config import Config, annotations, expected, meta_of
from limner.errors import InputError

Command = Callable[..., None]
OPTION_OF = {"dataset": "--data"}
"""Options that are not called as their argument; `Given` adds those of its structs."""

METAVARS = {int: "INT", float: "FLOAT", str: "TEXT", Path: "PATH"}


@dataclass(frozen=True)
class Field:
    """A field of a struct as an option."""

    name: str
    annotation: Any
    default: Any = None
    required: bool = False

    @property
    def option(self) -> str:
        """The option name.

        >>> Field("beam_size", int).option
        '--beam-size'
        """
        return str(self._extra.get("option", "--" + self.name.replace("_", "-")))

    @property
    def _extra(self) -> Mapping[str, Any]:
        return meta_of(self.annotation)[1].extra or {}

    @property
    def repeated(self) -> bool:
        """Whether the option may be repeated: lists, and dicts of NAME=VALUE."""
        kind = meta_of(self.annotation)[0]
        return get_origin(kind) in (tuple, list, dict) and not self._parts

    @property
    def _parts(self) -> int:
        """Number of comma-separated values; 0 for a single value."""
        kind = meta_of(self.annotation)[0]
        is_fixed = get_origin(kind) is tuple and Ellipsis not in get_args(kind)
        return len(get_args(kind)) if is_fixed else 0

    @property
    def help(self) -> str:
        """Description, limits and default.

        >>> Field("beam_size", Annotated[int, msgspec.Meta(ge=1, description="Beams.")], 3).help
        'Beams. [from 1; default: 3]'
        """
        kind, meta = meta_of(self.annotation)
        limits = expected(Annotated[int, meta]).removeprefix("a whole number").strip()
        choices = kind in (int, float, str)
        shown = not any(self.default is one for one in (None, msgspec.NODEFAULT, False, ()))
        default = ",".join(f"{one:g}" for one in self.default) if self._parts else self.default
        facts = [limits] * bool(limits and choices) + [f"default: {default}"] * shown
        return " ".join([meta.description or "", *([f"[{'; '.join(facts)}]"] if facts else [])])

    def without_limits(self) -> "Field":
        """A copy without limits and default, for structs that disagree about them."""
        kind, meta = meta_of(self.annotation)
        return Field(self.name, Annotated[kind, msgspec.Meta(description=meta.description)])

    def parameter(self, negatable: bool) -> inspect.Parameter:
        """The typer parameter of the option or argument; None if unset.

        Args:
            negatable: whether a flag also has its --no-... form.
        """
        kind, _ = meta_of(self.annotation)
        flag, choices = kind is bool, get_args(kind) if get_origin(kind) is Literal else ()
        plain: Any = bool if flag else list[str] if self.repeated else str
        metavar = "|".join(choices) or METAVARS.get(kind, "TEXT")
        off = f"/--no-{self.option.removeprefix('--')}" if flag and negatable else ""
        shown = None if flag else self._extra.get("metavar", metavar)
        if self._extra.get("argument"):
            option = typer.Argument(help=self.help)
        else:
            option = typer.Option(self.option + off, help=self.help, metavar=shown)
        return inspect.Parameter(
            self.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if self.required else None,
            annotation=Annotated[Union[plain, None], option],  # noqa: UP007 (made as it runs)
        )

    def value(self, text: Any) -> Any:
        """Convert the argument to the field's type.

        Raises:
            InputError: if the value is invalid.
        """
        kind, meta = meta_of(self.annotation)
        annotation: Any = Annotated[kind, meta]
        try:
            return msgspec.convert(
                self._pieces(text), annotation, strict=False, dec_hook=lambda kind, text: kind(text)
            )
        except msgspec.ValidationError:
            given = " ".join(text) if self.repeated else text
            raise InputError(
                f"{self.option} {given!s:.60}: expected {expected(annotation)}"
            ) from None

    def _pieces(self, text: Any) -> Any:
        """The argument as input to msgspec; None for a NAME=VALUE without "="."""
        if get_origin(meta_of(self.annotation)[0]) is dict:
            pairs = [one.split("=", 1) for one in text]
            return dict(pairs) if all(len(pair) == 2 for pair in pairs) else None
        return text.split(",") if self._parts else text


class Given:
    """Options of the fields of several structs, each name once.

    Args:
        structs: the first struct that has a field defines it.
        others: annotations of additional fields, or that override a struct's; None removes one.
    """

    def __init__(self, *structs: type[msgspec.Struct], **others: Any) -> None:
        known: dict[str, Field] = {}
        for struct in structs:
            for field in msgspec.structs.fields(struct):
                kind = annotations(struct)[field.name]
                one = Field(field.name, kind, field.default, field.required)
                same = known.setdefault(field.name, one)
                if (meta_of(same.annotation), same.default) != (meta_of(kind), one.default):
                    known[field.name] = same.without_limits()
        known |= {name: Field(name, annotation) for name, annotation in others.items()}
        self.fields = [one for one in known.values() if one.annotation is not None]
        OPTION_OF.update({one.name: one.option for one in self.fields})

    def values(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The given options among a command's arguments, validated."""
        given = ((one, arguments[one.name]) for one in self.fields)
        return {one.name: one.value(text) for one, text in given if text not in (None, [])}


def in_options(message: str) -> str:
    """Replace names of arguments, in backquotes, by the names of options.

    >>> in_options("`top_k` 0: expected a whole number from 1")
    '--top-k 0: expected a whole number from 1'
    """
    return re.sub(
        "(?<!field )`([a-z_]+)`",  # msgspec writes so of a field in a file
        lambda found: OPTION_OF.get(found[1], "--" + found[1].replace("_", "-")),
        message,
    )


def struct_options(command: Command) -> Command:
    """Replace struct parameters of a command by one typer option for each field.

    Its other parameters are named as these in the help: a Path as PATH, an argument in capitals.
    """
    hints = get_type_hints(command, include_extras=True)
    made = {name: found for name, hint in hints.items() if (found := _makers(hint))}
    own = [name for name in inspect.signature(command).parameters if name not in made]
    parameters: dict[str, inspect.Parameter] = {}
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        given, make = made.get(parameter.name, (None, None))
        for one in given.fields if given else ():
            parameters.setdefault(one.name, one.parameter(negatable=make is dict))
        if given is None:
            _set_metavar(parameter)
            parameters[parameter.name] = parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)

    @wraps(command)
    def run(**arguments: Any) -> None:
        structs = {}
        for name, (given, make) in made.items():
            values = given.values(arguments)
            try:
                structs[name] = make(**values)
            except ValueError as error:
                raise InputError(str(error)) from None
        command(**{name: arguments[name] for name in own}, **structs)

    run.__signature__ = inspect.Signature(list(parameters.values()))  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters.values()}
    return run


def _set_metavar(parameter: inspect.Parameter) -> None:
    kind, info, *_ = *get_args(parameter.annotation), None, None
    if isinstance(info, typer.models.ArgumentInfo):
        info.metavar = info.metavar or parameter.name.upper()
    elif isinstance(info, typer.models.OptionInfo) and bool not in (kind, *get_args(kind)):
        info.metavar = info.metavar or ("PATH" if "Path" in str(kind) else "TEXT")


def _makers(hint: Any) -> tuple[Given, Callable[..., Any]] | None:
    """Options of a parameter and their constructor; None for a plain typer parameter."""
    if isinstance(hint, type) and issubclass(hint, Config):
        return Given(hint), hint
    given = next((one for one in get_args(hint) if isinstance(one, Given)), None)
    return (given, dict) if given else None
