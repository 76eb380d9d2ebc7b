"""Break every line of every backward pass, one at a time, and see that the tests catch it.

    python scripts/mutate_backward.py            all of them
    python scripts/mutate_backward.py engine     those of files with `engine` in their path

Each statement of a backward function that writes floating-point numbers is a mutant: they are
multiplied by 1.001. Pytest collects the tests of some files once. The code of their functions is
changed in memory: every statement tells its number and what it writes. First all tests must pass
while nothing is multiplied, and show which statements write numbers (not sizes, views, zeros), and
in which tests. Then each mutant is a process, forked there, that runs those tests up to the first
failure; first the one that has caught the mutant before. A statement that no test reaches, or whose
tests all pass, has survived: survivors are printed in capitals, and the exit status is 1.
"""

import builtins
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy: a process with threads cannot be forked

import numpy as np
import pytest
from watch_statements import PACKAGE, Statement, Watch, instrument, shared

ROOT = Path(__file__).resolve().parent.parent


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
ENGINE = (
    "tests/engine/numpy",
    "tests/models/test_attention.py::test_the_engine_agrees",
    "tests/models/test_attention.py::test_steps_of_different_batches_agree",
    "tests/models/test_rnn.py::test_the_courses_loss",
)
"""A model's own loss, too, is caught where it differs from the fast pass."""

TARGETS = (
    *(Target(f"layers/{cell}.py", (*CELL, cell)) for cell in ("rnn", "gru", "lstm", "cho_gru")),
    Target("layers/unroll.py", (*CELL, "cho_gru")),
    Target("layers/affine.py", ("tests/layers/test_affine.py",)),
    Target("layers/attention.py", ("tests/layers/test_attention.py",)),
    Target("layers/embedding.py", ("tests/layers/test_embedding.py",)),
    Target("layers/loss.py", ("tests/layers/test_loss.py",), ("temporal_softmax_loss",)),
    Target("models/base.py", ENGINE, ("sum_by_image", "keep")),
    Target("models/rnn.py", ENGINE, ("loss",)),
    Target("models/attention.py", ENGINE, ("loss",)),
    Target("engine/numpy/cells/*.py", ENGINE, ("backward", "backpropagate")),
    Target("engine/numpy/recurrent.py", ENGINE, ("__call__",)),
    Target("engine/numpy/attention.py", ENGINE),
    Target("engine/numpy/regions.py", ENGINE, ("backward",)),
    Target("engine/numpy/scoring.py", ENGINE, ("score", "_product")),
    Target("engine/numpy/token_sums.py", ENGINE, ("sum_by_token", "sum_rows")),
)

EQUIVALENT = {
    ("engine/numpy/scoring.py", "x -= x.max(axis=1, keepdims=True)"): (
        "softmax is the same whatever is subtracted; a maximum too large by a thousandth is as good"
    ),
}
"""(file, statement) -> why no test can tell the changed one from it."""


class Forks:
    """A plugin of pytest: when the tests are collected, every mutant runs them by itself."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self._targets = targets
        self.verdicts: list[tuple[str, str]] | None = None

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Set the verdicts, if the tests pass without any change."""
        statements = self._instrument()
        self._watch = Watch(len(statements), len(session.items))
        setattr(builtins, Watch.NAME, self._watch)
        self._caught = shared(len(session.items))  # the last mutant of each test, and one
        if not session.testsfailed and self._statuses(session, [None]) == {None: 0}:
            mutants = np.flatnonzero(self._watch.writes.any(axis=1)).tolist()
            statuses = self._statuses(session, mutants)
            self.verdicts = [
                (verdict(one, self._watch.reached[number], statuses.get(number)), str(one))
                for number, one in enumerate(statements)
            ]
        return True

    def _instrument(self) -> list[Statement]:
        statements: list[Statement] = []
        for target in self._targets:
            for path in sorted(PACKAGE.glob(target.files)):
                file = str(path.relative_to(PACKAGE))
                statements += instrument(file, target.goes_backward, len(statements))
        return statements

    def _statuses(
        self, session: pytest.Session, mutants: Sequence[int | None]
    ) -> dict[int | None, int]:
        """The exit status of each, with as many processes at a time as there are cores."""
        running: dict[int, int | None] = {}
        found: dict[int | None, int] = {}
        for mutant in mutants:
            if len(running) == os.cpu_count():
                _wait_for_one(running, found)
            if pid := os.fork():
                running[pid] = mutant
            else:
                self._run(session, mutant)
        while running:
            _wait_for_one(running, found)
        return found

    def _run(self, session: pytest.Session, mutant: int | None) -> None:
        """In a process of its own: run the tests that reach the mutant, and end."""
        status = -1
        try:
            self._watch.mutant = mutant
            places = np.argsort(-self._caught, kind="stable").tolist()
            if mutant is not None:
                places = [place for place in places if self._watch.writes[mutant, place]]
            session.config.pluginmanager.unregister(name="terminalreporter")
            items = [session.items[place] for place in places]
            for place, item, following in zip(places, items, [*items[1:], None], strict=True):
                self._watch.test = place
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                if session.testsfailed:
                    self._caught[place] = (mutant or 0) + 1
                    break
            status = int(session.testsfailed > 0)
        finally:
            os._exit(status)


def _wait_for_one(running: dict[int, int | None], found: dict[int | None, int]) -> None:
    pid, status = os.wait()
    found[running.pop(pid)] = os.waitstatus_to_exitcode(status)


def try_all(targets: Sequence[Target]) -> list[tuple[str, str]]:
    """What becomes of every mutant of targets that have the same tests, and which it is.

    In a process for nothing else.
    """
    sys.path.insert(0, str(PACKAGE.parent))
    os.chdir(ROOT)
    options = ["-q", "--tb=short", "--hypothesis-profile=mutants", "-p", "no:cacheprovider"]
    forks = Forks(targets)
    with tempfile.TemporaryFile() as printed:
        for stream in (1, 2):
            os.dup2(printed.fileno(), stream)
        pytest.main([*options, *targets[0].tests], plugins=[forks])
        printed.seek(0)
        text = printed.read().decode(errors="replace")
    if forks.verdicts is None:
        raise RuntimeError(f"{' '.join(targets[0].tests)} fails without any change:\n{text}")
    return forks.verdicts


def verdict(statement: Statement, reached: bool, status: int | None) -> str:
    """What became of a statement; in capitals if something is to be done about it."""
    if not reached:
        return "UNREACHED"
    if status is None:
        return "no number"
    if status not in (0, 1):
        return "CRASHED"
    if (statement.file, statement.text) in EQUIVALENT:
        return "EXCUSED" if status else "equivalent"
    return "caught" if status else "SURVIVED"


def main() -> int:
    """Try every mutant, and print a line for each."""
    start = time.monotonic()
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    targets = [target for target in TARGETS if wanted in target.files]
    groups = [list(group) for _, group in groupby(targets, lambda target: target.tests)]
    counts: Counter[str] = Counter()
    with get_context("fork").Pool(1, maxtasksperchild=1) as pool:
        for found in pool.imap(try_all, groups):
            for became, mutant in found:
                print(f"{became:10} {mutant}", flush=True)
            counts.update(became for became, _ in found)
    print(", ".join(f"{count} {became}" for became, count in sorted(counts.items())), end="; ")
    print(f"{time.monotonic() - start:.0f} seconds")
    return int(any(became.isupper() for became in counts))


if __name__ == "__main__":
    sys.exit(main())
