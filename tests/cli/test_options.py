from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
import pytest
import typer
from msgspec import Meta
from typer.testing import CliRunner

from limner.cli.datasets import HeadConfig
from limner.cli.options import Given, in_options, struct_options
from limner.config import MAX_SEED, Config, annotations, meta_of
from limner.data.editing.export import ExportConfig
from limner.data.editing.subset import SubsetConfig
from limner.data.preparing.config import CheckConfig, PrepareConfig
from limner.decoding import DecodingConfig
from limner.errors import InputError
from limner.images.limits import ImageLimits


class Small(Config, frozen=True, kw_only=True):
    size: Annotated[int, Meta(ge=1, le=9, description="Size in pixels.")] = 3
    mean: Annotated[float, Meta(gt=0, description="Mean.")] | None = None
    kind: Annotated[Literal["a", "b"], Meta(description="Kind.")] = "a"
    dark: Annotated[bool, Meta(description="Dark images, too.", extra={"option": "--night"})] = (
        False
    )
    words: Annotated[
        tuple[str, ...], Meta(description="A word.", extra={"option": "--word", "metavar": "WORD"})
    ] = ()
    file: Annotated[Path, Meta(description="File.")] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size == 7:
            raise ValueError("`size` 7 does not go with `words`")


class Larger(Small, frozen=True, kw_only=True):
    added: Annotated[int, Meta(ge=0, le=5, description="Added later.")] = 0


def run(command, *arguments):
    """Exit status, stdout and the exception of a command."""
    app = typer.Typer(rich_markup_mode=None, add_completion=False)
    app.command()(command)
    result = CliRunner().invoke(app, list(arguments), terminal_width=500)
    return result.exit_code, result.output, result.exception


def built(struct, *arguments):
    found = []

    @struct_options
    def command(*, name: str = "x", how: struct) -> None:
        found.append((name, how))

    status, output, error = run(command, *arguments)
    if isinstance(error, InputError):
        raise error
    assert status == 0, output
    return found[0]


def given(struct, *arguments, **others):
    found = []

    @struct_options
    def command(given: Annotated[dict[str, Any], Given(struct, **others)]) -> None:
        found.append(given)

    status, output, error = run(command, *arguments)
    if isinstance(error, InputError):
        raise error
    assert status == 0, output
    return found[0]


def help_of(struct):
    @struct_options
    def command(*, how: struct) -> None:
        """Do it."""

    return " ".join(run(command, "--help")[1].split())


STRUCTS = [
    *(DecodingConfig, Small, Larger),
    *(CheckConfig, PrepareConfig, ImageLimits, HeadConfig, SubsetConfig, ExportConfig),
]


@pytest.mark.parametrize("struct", STRUCTS)
def test_fields_become_options_with_help_limits_and_default(struct):
    text = help_of(struct)
    for field in msgspec.structs.fields(struct):
        kind, meta = meta_of(annotations(struct)[field.name])
        extra = meta.extra or {}
        option = extra.get("option", "--" + field.name.replace("_", "-"))
        option = field.name if extra.get("argument") else option
        part = text[text.index(f"{option} ") :].split(" --", 1)[0]
        rest = text[text.index(f"{option} ") :]
        assert meta.description in rest, field.name
        shown = rest[rest.index(meta.description) + len(meta.description) :].split(" --")[0]
        assert ("[required]" in shown) == field.required, field.name
        for limit in (meta.ge, meta.gt, meta.le, meta.lt):
            text_of = (
                "2**63 - 1" if limit == MAX_SEED else f"{limit:,}" if limit is not None else ""
            )
            assert text_of in shown, field.name
        if isinstance(field.default, int | float | str) and field.default is not False:
            assert f"default: {field.default}]" in shown, field.name
        if get_origin(kind) is Literal:
            assert "|".join(get_args(kind)) in part, field.name


def test_new_field_becomes_option():
    assert "--added" not in help_of(Small)
    assert "--added INT Added later. [from 0 to 5; default: 0]" in help_of(Larger)
    assert built(Larger, "--added", "4")[1].added == 4


def test_structs_are_built_from_given_options():
    assert built(Small) == ("x", Small())
    options = "--size 5 --mean 2 --kind b --night --word one --word two --file a/b --name y"
    name, how = built(Small, *options.split())
    assert name == "y"
    assert how == Small(
        size=5, mean=2.0, kind="b", dark=True, words=("one", "two"), file=Path("a/b")
    )


def test_structs_share_an_option():
    found = []

    @struct_options
    def command(*, first: Small, second: Larger) -> None:
        found.append((first, second))

    assert run(command, "--size", "4", "--added", "2")[0] == 0
    assert found == [(Small(size=4), Larger(size=4, added=2))]


class Odd(Config, frozen=True, kw_only=True):
    place: Annotated[Path, Meta(description="Place.", extra={"argument": True})]
    shares: Annotated[tuple[float, float], Meta(description="Shares.")] = (8.0, 2.0)
    counts: Annotated[
        dict[str, Annotated[int, Meta(ge=0, le=9)]],
        Meta(description="Count.", extra={"expected": "NAME=COUNT", "metavar": "NAME=COUNT"}),
    ] = msgspec.field(default_factory=dict)


def test_options_parse_lists_and_pairs():
    assert built(Odd, "here")[1] == Odd(place=Path("here"))
    options = "here --shares 1,0.5 --counts a=1 --counts b=2"
    _, how = built(Odd, *options.split())
    assert how == Odd(place=Path("here"), shares=(1.0, 0.5), counts={"a": 1, "b": 2})
    assert "--shares TEXT Shares. [default: 8,2]" in help_of(Odd)


def test_required_options():
    @struct_options
    def command(*, how: Odd) -> None:
        pass

    status, output, _ = run(command)
    assert status == 2
    assert "Missing argument" in output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--shares", "1"], "--shares 1: expected a list"),
        (["--shares", "1,x"], "--shares 1,x: expected a list"),
        (["--counts", "a"], "--counts a: expected NAME=COUNT"),
        (["--counts", "a=1", "--counts", "b=10"], "--counts a=1 b=10: expected NAME=COUNT"),
    ],
)
def test_options_refuse_malformed_pairs_and_lists(options, message):
    with pytest.raises(InputError) as error:
        built(Odd, "here", *options)
    assert in_options(str(error.value)) == message


def test_given_omits_unset_options():
    assert given(Small) == {}
    assert given(Small, "--size", "3", "--no-night", "--word", "a") == {
        "size": 3,
        "dark": False,
        "words": ("a",),
    }


def test_given_overrides_and_removes_fields():
    options = {"kind": Annotated[Literal["c", "d"], Meta(description="Other.")], "size": None}
    assert given(Small, "--kind", "d", **options) == {"kind": "d"}
    assert [one.name for one in Given(Larger, Small, size=None).fields] == [
        "mean", "kind", "dark", "words", "file", "added",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--size", "0"], "--size 0: expected a whole number from 1 to 9"),
        (["--size", "x"], "--size x: expected a whole number from 1 to 9"),
        (["--mean", "nan"], "--mean nan: expected a number above 0"),
        (["--mean", "null"], "--mean null: expected a number above 0"),
        (["--kind", "c"], "--kind c: expected one of a, b"),
        (["--size", "7"], "--size 7 does not go with --word"),
    ],
)
def test_errors_name_options(options, message):
    with pytest.raises(InputError) as error:
        built(Small, *options)
    assert in_options(str(error.value)) == message
