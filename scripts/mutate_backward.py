"""Break every line of every backward pass, one at a time, and see that the tests catch it.

    python scripts/mutate_backward.py            all of them
    python scripts/mutate_backward.py engine     those of files with `engine` in their path

Each statement of a backward function that writes floating-point numbers is a mutant: they are
multiplied by 1.001. Pytest collects the tests of a file once; each mutant is a process that is
forked there, takes the changed code into the function, and runs the tests up to the first failure.
No file is changed. A statement that writes no such numbers (sizes, views, zeros) is no mutant, and
one that no test reaches has survived. Survivors are printed, and the exit status is 1; first of all
the tests must pass without any change.
"""

import ast
import builtins
import importlib
import inspect
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from pathlib import Path
from types import CodeType, GeneratorType
from typing import Any, NamedTuple

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy: a process with threads cannot be forked

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"
FACTOR = 1.001
FAILED, REACHED, CHANGED = 1, 2, 4
"""Bits of a mutant's exit status."""


class Target(NamedTuple):
    """Files of the package, what pytest is to run for them, and functions that go backward.

    Those named `*_backward` do in any case.
    """

    files: str
    tests: tuple[str, ...]
    functions: tuple[str, ...] = ()

    def goes_backward(self, function: str) -> bool:
        return function.endswith("_backward") or function in self.functions


CELL = ("tests/layers/test_cells.py", "-k")
ENGINE = ("tests/engine/numpy/test_engine.py", "tests/models", "tests/engine")
ATTENTION = ("tests/models/test_attention.py", "tests/models", "tests/engine")

TARGETS = (
    *(Target(f"layers/{cell}.py", (*CELL, cell)) for cell in ("rnn", "gru", "cho_gru", "lstm")),
    Target("layers/unroll.py", ("tests/layers/test_cells.py",)),
    Target("layers/affine.py", ("tests/layers/test_affine.py",)),
    Target("layers/attention.py", ("tests/layers/test_attention.py",)),
    Target("layers/embedding.py", ("tests/layers/test_embedding.py",)),
    Target("layers/loss.py", ("tests/layers/test_loss.py",), ("temporal_softmax_loss",)),
    Target("models/rnn.py", ("tests/models",), ("loss",)),
    Target("models/attention.py", ("tests/models",), ("loss",)),
    Target("models/base.py", ("tests/models",), ("sum_by_image", "keep")),
    Target("engine/numpy/cells/*.py", ENGINE, ("backward", "backpropagate")),
    Target("engine/numpy/recurrent.py", ENGINE, ("__call__",)),
    Target("engine/numpy/attention.py", ATTENTION, ("_sum_rows",)),
    Target("engine/numpy/scoring.py", ENGINE, ("score", "_product")),
    Target("engine/numpy/token_sums.py", ENGINE, ("sum_by_token",)),
)

EQUIVALENT: dict[tuple[str, str], str] = {}
"""(file, statement) -> why no test can tell the changed one from it."""


class Mutant(NamedTuple):
    """A statement of a function, and the function's code with other numbers in it."""

    file: str
    function: str
    line: int
    statement: str
    code: CodeType

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.function}: {self.statement}"


def mutants(target: Target) -> Iterator[Mutant]:
    """Every statement that may write numbers."""
    for path in sorted((SOURCE / "limner").glob(target.files)):
        module = ast.parse(path.read_text("utf-8"))
        for owner in (module, *(node for node in module.body if isinstance(node, ast.ClassDef))):
            for function in owner.body:
                if isinstance(function, ast.FunctionDef) and target.goes_backward(function.name):
                    prefix = f"{owner.name}." if isinstance(owner, ast.ClassDef) else ""
                    yield from _of_function(path, prefix + function.name, function)


def _of_function(path: Path, name: str, function: ast.FunctionDef) -> Iterator[Mutant]:
    file = str(path.relative_to(SOURCE / "limner"))
    for node in ast.walk(function):
        value = getattr(node, "value", None)
        if isinstance(node, ast.stmt) and value and (changed := _changed(node, value)):
            statement = ast.unparse(node)
            node.value = changed
            code = _code_of(function, path)
            node.value = value
            yield Mutant(file, name, node.lineno, statement, code)


def _changed(node: ast.stmt, value: ast.expr) -> ast.expr | None:
    """The statement's value with other numbers in it; None if it surely writes none."""
    if isinstance(value, ast.Call) and any(keyword.arg == "out" for keyword in value.keywords):
        return _call("_mutated_in_place", value)  # NumPy returns what it has written to
    if isinstance(node, ast.Expr):
        if not (isinstance(value, ast.Call) and ast.unparse(value.func).endswith(".at")):
            return None
        *others, last = value.args  # np.add.at(array, places, numbers)
        return ast.Call(value.func, [*others, _call("_mutated_all", last)], [])
    if isinstance(node, ast.AugAssign) or _writes_into_arrays(node):
        return _call("_mutated_all", value)
    return _call("_mutated_new", value) if _computes(value) else None


def _writes_into_arrays(node: ast.stmt) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else []
    return any(isinstance(part, ast.Subscript) for one in targets for part in ast.walk(one))


def _computes(value: ast.expr) -> bool:
    """Whether it is more than other names for what is there, or room for what comes."""
    computed = any(isinstance(part, ast.BinOp | ast.UnaryOp | ast.Call) for part in ast.walk(value))
    return computed and not ast.unparse(value).startswith("np.empty")


def _call(name: str, argument: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(name, ast.Load()), [argument], [])


def _code_of(function: ast.FunctionDef, path: Path) -> CodeType:
    """The compiled body of a function."""
    bare = ast.FunctionDef(function.name, function.args, function.body, [])
    module = ast.fix_missing_locations(ast.Module([ast.copy_location(bare, function)], []))
    constants = compile(module, str(path), "exec", dont_inherit=True).co_consts
    [code] = [one for one in constants if isinstance(one, CodeType) and one.co_name == bare.name]
    return code


class Mutation:
    """What a changed statement calls, and what it has done so far."""

    def __init__(self) -> None:
        self.done = 0

    def in_place(self, array: Any) -> Any:
        """The array, with other numbers in it."""
        self.done |= REACHED | (CHANGED if np.any(array) else 0)
        array *= FACTOR
        return array

    def all(self, value: Any) -> Any:
        """Other numbers; of several values, each."""
        return self._each(value, lambda array: True)

    def new(self, value: Any) -> Any:
        """Other numbers, where they are no view of an array that has a name."""
        return self._each(value, _is_new)

    def _each(self, value: Any, wanted: Callable[[Any], bool]) -> Any:
        self.done |= REACHED
        if isinstance(value, GeneratorType) or type(value) in (tuple, list):
            return tuple(self._each(part, wanted) for part in value)
        is_float = isinstance(value, float | np.floating) or (
            isinstance(value, np.ndarray) and value.dtype.kind == "f" and wanted(value)
        )
        if not is_float or not np.any(value):
            return value
        self.done |= CHANGED
        return value * FACTOR


def _is_new(array: Any) -> bool:
    """Whether nobody else holds the array that this one may be a view of."""
    return array.base is None or sys.getrefcount(array.base) <= 2


class Forks:
    """A plugin of pytest: when the tests are collected, every mutant runs them by itself."""

    def __init__(self, mutants: Sequence[Mutant]) -> None:
        self._mutants = mutants
        self.passes = False
        self.statuses: list[int] = []

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.passes = not session.testsfailed and self._statuses(session, [None]) == [0]
        if self.passes:
            self.statuses = self._statuses(session, self._mutants)
        return True

    def _statuses(self, session: pytest.Session, tries: Sequence[Mutant | None]) -> list[int]:
        """The exit status of each, with as many processes at a time as there are cores."""
        running: dict[int, int] = {}
        found: dict[int, int] = {}
        for number, mutant in enumerate(tries):
            if len(running) == os.cpu_count():
                _wait_for_one(running, found)
            if pid := os.fork():
                running[pid] = number
            else:
                _run(session, mutant)
        while running:
            _wait_for_one(running, found)
        return [found[number] for number in range(len(tries))]


def _wait_for_one(running: dict[int, int], found: dict[int, int]) -> None:
    pid, status = os.wait()
    found[running.pop(pid)] = os.waitstatus_to_exitcode(status)


def _run(session: pytest.Session, mutant: Mutant | None) -> None:
    """In a process of its own: take the changed code in, run the tests, and end."""
    status = -1
    try:
        mutation = Mutation()
        if mutant:
            for name in ("in_place", "all", "new"):
                setattr(builtins, f"_mutated_{name}", getattr(mutation, name))
            _take_in(mutant)
        session.config.pluginmanager.unregister(name="terminalreporter")
        for item, following in zip(session.items, [*session.items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                break
        status = mutation.done | (FAILED if session.testsfailed else 0)
    finally:
        os._exit(status)


def _take_in(mutant: Mutant) -> None:
    """Every name of the function, in whatever module and table, has the changed code."""
    name = mutant.file.removesuffix(".py").replace("/", ".")
    found: Any = importlib.import_module(f"limner.{name}")
    for part in mutant.function.split("."):
        found = getattr(found, part)
    inspect.unwrap(found).__code__ = mutant.code  # below what checks shapes


def try_all(target: Target) -> list[tuple[str, str]]:
    """What becomes of every mutant of a target, and which it is; in a process for nothing else."""
    sys.path.insert(0, str(SOURCE))
    os.chdir(ROOT)
    tried = list(mutants(target))
    forks = Forks(tried)
    with tempfile.TemporaryFile() as printed:
        for stream in (1, 2):
            os.dup2(printed.fileno(), stream)
        pytest.main(["-q", "-p", "no:cacheprovider", *target.tests], plugins=[forks])
        printed.seek(0)
        text = printed.read().decode(errors="replace")
    if not forks.passes:
        raise RuntimeError(f"{' '.join(target.tests)} fails without any change:\n{text}")
    return [(verdict(*one), str(one[0])) for one in zip(tried, forks.statuses, strict=True)]


def verdict(mutant: Mutant, status: int) -> str:
    """What became of a mutant; in capitals if something is to be done about it."""
    if status < 0 or status > FAILED | REACHED | CHANGED:
        return "CRASHED"
    if not status & REACHED:
        return "UNREACHED"
    if not status & CHANGED:
        return "no number"
    if (mutant.file, mutant.statement) in EQUIVALENT:
        return "EXCUSED" if status & FAILED else "equivalent"
    return "caught" if status & FAILED else "SURVIVED"


def main() -> int:
    """Try every mutant, and print a line for each."""
    start = time.monotonic()
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    targets = [target for target in TARGETS if wanted in target.files]
    counts: Counter[str] = Counter()
    with get_context("fork").Pool(1, maxtasksperchild=1) as pool:
        for found in pool.imap(try_all, targets):
            for became, mutant in found:
                print(f"{became:10} {mutant}", flush=True)
            counts.update(became for became, _ in found)
    print(", ".join(f"{count} {became}" for became, count in sorted(counts.items())), end="; ")
    print(f"{time.monotonic() - start:.0f} seconds")
    return int(any(became.isupper() for became in counts))


if __name__ == "__main__":
    sys.exit(main())
