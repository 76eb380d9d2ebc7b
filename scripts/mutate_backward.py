"""Break every line of every backward pass, one at a time, and see that the tests catch it.

    python scripts/mutate_backward.py

Each line that computes a gradient in a function named `*_backward` of `limner.layers` (and in the
loss, which computes its own) is a mutant: what it computes is multiplied by 1.001. The layer's own
tests run against a copy of the package with that one change. A mutant that survives is printed, and
the exit status is 1. First of all an unchanged copy must pass.
"""

import ast
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ROOT / "src" / "limner" / "layers"
FACTOR = "1.001"


def mutants(path: Path) -> Iterator[tuple[str, int, str]]:
    """(function, line number, the whole file with that line changed)."""
    source = path.read_text("utf-8")
    for function in ast.parse(source).body:
        if isinstance(function, ast.FunctionDef) and _computes_gradients(function):
            for node in ast.walk(function):
                if (value := _gradient_value(node)) is not None:
                    several = isinstance(getattr(node, "targets", [None])[0], ast.Tuple)
                    yield function.name, node.lineno, _scaled(source, value, several)


def _computes_gradients(function: ast.FunctionDef) -> bool:
    return function.name.endswith("_backward") or function.name == "temporal_softmax_loss"


def _gradient_value(node: ast.AST) -> ast.expr | None:
    """What a line computes for something named d..., if it is more than making room for it."""
    if isinstance(node, ast.Expr) and ast.unparse(node).startswith("np.add.at(d"):
        return node.value.args[-1]
    if not isinstance(node, ast.Assign | ast.AugAssign):
        return None
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    makes_room = ast.unparse(node.value).startswith(("np.empty", "np.zeros", "(np.zeros"))
    is_gradient = ast.unparse(target).removeprefix("(").startswith("d")
    return node.value if is_gradient and not makes_room else None


def _scaled(source: str, value: ast.expr, several: bool) -> str:
    """The source with one value times FACTOR; each of several results, where it is a tuple."""
    text = ast.get_source_segment(source, value) or ""
    new = f"[{FACTOR} * part for part in {text}]" if several else f"{FACTOR} * ({text})"
    before = source.splitlines(keepends=True)[: value.lineno - 1]
    start = sum(map(len, before)) + value.col_offset
    return source[:start] + new + source[start + len(text) :]


def survives(path: Path, mutant: str) -> bool:
    """Whether the layer's tests pass all the same."""
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "limner"
        shutil.copytree(ROOT / "src" / "limner", package, ignore=shutil.ignore_patterns("bundled"))
        (package / "layers" / path.name).write_text(mutant, "utf-8")
        tests = ROOT / "tests" / "layers" / f"test_{path.name}"
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", str(tests)]
        environment = {**os.environ, "PYTHONPATH": folder, "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
        if done.returncode not in (0, 1):
            sys.exit(f"pytest did not run: {done.stdout.decode()}{done.stderr.decode()}")
        return done.returncode == 0


def main() -> int:
    """Try every mutant, and print a line for each."""
    for path in sorted(LAYERS.glob("[!_]*.py")):
        if not survives(path, path.read_text("utf-8")):
            sys.exit(f"{path.name}: its tests fail without any change")
    tries = [
        (path, function, line, mutant)
        for path in sorted(LAYERS.glob("[!_]*.py"))
        for function, line, mutant in mutants(path)
    ]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        outcomes = list(pool.map(lambda one: survives(one[0], one[3]), tries))
    for (path, function, line, mutant), survived in zip(tries, outcomes, strict=True):
        verdict = "SURVIVED" if survived else "caught"
        print(f"{verdict:9} {path.name}:{line} {function}: {mutant.splitlines()[line - 1].strip()}")
    print(f"{len(tries) - sum(outcomes)} of {len(tries)} mutants caught")
    return int(any(outcomes))


if __name__ == "__main__":
    sys.exit(main())
