"""Statements of functions that tell what numbers they write, and can be made to write others.

The code of a function is changed in memory, not in its file: each statement that may write numbers
calls the `Watch` with its own number and its value.
"""

import ast
import importlib
import inspect
import math
import sys
from collections.abc import Callable, Iterator
from multiprocessing.sharedctypes import RawArray
from pathlib import Path
from types import CodeType, GeneratorType
from typing import Any, NamedTuple

import numpy as np

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "limner"
FACTOR = 1.001


class Statement(NamedTuple):
    """Of a function that goes backward; it may write numbers."""

    file: str
    function: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.function}: {self.text}"


def instrument(file: str, wanted: Callable[[str], bool], first: int) -> list[Statement]:
    """Change the code of functions of a file, so that their statements tell numbers from `first`.

    Args:
        file: below the package.
        wanted: which functions, by name.
        first: the number of the first statement; the others' follow.

    Returns:
        The statements that may write numbers, in the order of what they tell.
    """
    statements: list[Statement] = []
    for name, function in _functions(ast.parse((PACKAGE / file).read_text("utf-8"))):
        if wanted(function.name):
            statements += _with_numbers(function, file, name, first + len(statements))
            _replace_code(file, name, _code_of(function, PACKAGE / file))
    return statements


def _functions(module: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Those of the module and of its classes, by their names there."""
    for owner in (module, *(node for node in module.body if isinstance(node, ast.ClassDef))):
        for function in owner.body:
            if isinstance(function, ast.FunctionDef):
                prefix = f"{owner.name}." if isinstance(owner, ast.ClassDef) else ""
                yield prefix + function.name, function


def _with_numbers(function: ast.FunctionDef, file: str, name: str, first: int) -> list[Statement]:
    """The statements that may write numbers; in the function each tells its own."""
    statements: list[Statement] = []
    for node in list(ast.walk(function)):
        value = getattr(node, "value", None)
        if isinstance(node, ast.stmt) and value:
            text = ast.unparse(node)
            if changed := _changed(node, value, first + len(statements)):
                statements.append(Statement(file, name, node.lineno, text))
                node.value = changed
    return statements


def _changed(node: ast.stmt, value: ast.expr, number: int) -> ast.expr | None:
    """The statement's value, told under its number; None if it surely is no number."""
    if isinstance(value, ast.Call) and any(keyword.arg == "out" for keyword in value.keywords):
        return _told("in_place", number, value)  # NumPy returns what it has written to
    if isinstance(node, ast.Expr):
        if not (isinstance(value, ast.Call) and ast.unparse(value.func).endswith(".at")):
            return None
        *others, last = value.args  # np.add.at(array, places, numbers)
        return ast.Call(value.func, [*others, _told("all", number, last)], [])
    if isinstance(node, ast.AugAssign) or _writes_into_arrays(node):
        return _told("all", number, value)
    return _told("new", number, value) if _computes(value) else None


def _writes_into_arrays(node: ast.stmt) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else []
    return any(isinstance(part, ast.Subscript) for one in targets for part in ast.walk(one))


def _computes(value: ast.expr) -> bool:
    """Whether it is more than other names for what is there, or room for what comes."""
    computed = any(isinstance(part, ast.BinOp | ast.UnaryOp | ast.Call) for part in ast.walk(value))
    return computed and not ast.unparse(value).startswith("np.empty")


def _told(how: str, number: int, value: ast.expr) -> ast.expr:
    """A call of `Watch`, which stands among the builtins."""
    watch = ast.Attribute(ast.Name(Watch.NAME, ast.Load()), how, ast.Load())
    return ast.Call(watch, [ast.Constant(number), value], [])


def _code_of(function: ast.FunctionDef, path: Path) -> CodeType:
    """The compiled body of a function."""
    bare = ast.FunctionDef(function.name, function.args, function.body, [])
    module = ast.fix_missing_locations(ast.Module([ast.copy_location(bare, function)], []))
    constants = compile(module, str(path), "exec", dont_inherit=True).co_consts
    [code] = [one for one in constants if isinstance(one, CodeType) and one.co_name == bare.name]
    return code


def _replace_code(file: str, function: str, code: CodeType) -> None:
    """Every name of the function, in whatever module and table, has the changed code."""
    name = file.removesuffix(".py").replace("/", ".")
    found: Any = importlib.import_module(f"limner.{name}")
    for part in function.split("."):
        found = getattr(found, part)
    inspect.unwrap(found).__code__ = code  # below what checks shapes


class Watch:
    """What statements tell their numbers and values.

    Attributes:
        mutant: the statement whose values are changed; None to note what each writes.
        test: the test that runs, by its place.
        reached: (statements,) whether any test comes there.
        writes: (statements, tests) whether numbers other than zero are written.
    """

    NAME = "_watch"

    def __init__(self, num_statements: int, num_tests: int) -> None:
        self.mutant: int | None = None
        self.test = 0
        self.reached = shared(num_statements)
        self.writes = shared(num_statements, num_tests)

    def in_place(self, number: int, array: Any) -> Any:
        """The array; with other numbers in it, if this is the mutant."""
        if self.mutant is None:
            self._note(number, array)
        elif self.mutant == number:
            array *= FACTOR
        return array

    def all(self, number: int, value: Any) -> Any:
        """The value, or other numbers; of several values, each."""
        return self._each(number, value, lambda array: array.dtype.kind in "fb")

    def new(self, number: int, value: Any) -> Any:
        """The value, or other numbers where they are no view of an array that has a name."""
        return self._each(number, value, _is_new)

    def _note(self, number: int, value: Any) -> None:
        self.reached[number] = True
        self.writes[number, self.test] |= bool(np.any(value))

    def _each(self, number: int, value: Any, wanted: Callable[[Any], bool]) -> Any:
        if self.mutant not in (None, number):
            return value
        self.reached[number] = True
        if isinstance(value, GeneratorType) or type(value) in (tuple, list):
            parts = [self._each(number, part, wanted) for part in value]
            return parts if type(value) is list else tuple(parts)
        is_array = isinstance(value, np.ndarray) and wanted(value)
        if not (is_array or isinstance(value, float | np.floating)):
            return value
        if self.mutant is None:
            self._note(number, value)
            return value
        return value * FACTOR


def shared(*shape: int) -> Any:
    """An array of zeros that forked processes write to, too."""
    return np.frombuffer(RawArray("i", math.prod(shape)), np.int32).reshape(shape)


def _is_new(array: Any) -> bool:
    """Whether it has numbers, and nobody else holds the array that it may be a view of."""
    is_new = array.base is None or sys.getrefcount(array.base) <= 2
    return is_new and array.dtype.kind == "f"
