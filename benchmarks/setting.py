"""What the benchmarks share: one thread, COCO's shapes, CPU time, one form of output.

Import this before anything that imports NumPy: a BLAS reads its number of threads once, when it is
loaded.

Shapes: N captions, T words, V vocabulary.
"""

import os

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
os.environ.update(dict.fromkeys(THREADS, "1"))

import json  # noqa: E402
import platform  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Mapping, Sequence  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

SPECIAL = ("<NULL>", "<START>", "<END>", "<UNK>")


def words(V: int = 1004) -> dict[str, int]:
    """Word to id; 1004 is the size of the course's vocabulary."""
    return {SPECIAL[i] if i < len(SPECIAL) else f"w{i}": i for i in range(V)}


def coco_like_captions(rng: np.random.Generator, N: int, T: int = 17, V: int = 1004) -> np.ndarray:
    """(N, T) int32 captions as long as COCO's, 28 % of their targets padding.

    COCO's captions have 10.5 words, sd 2.4, which the course cuts at T - 2. Word ids follow Zipf's
    law: the word of rank r stands 1/r as often as the first.
    """
    shares = 1 / np.arange(1, V - len(SPECIAL) + 1)
    shares /= shares.sum()
    lengths = np.clip(np.round(rng.normal(10.5, 2.4, N)), 6, T - 2).astype(int)
    captions = np.zeros((N, T), np.int32)
    for row, length in zip(captions, lengths, strict=True):
        row[0] = 1
        row[1 : length + 1] = len(SPECIAL) + rng.choice(len(shares), length, p=shares)
        row[length + 1] = 2
    return captions


def describe_machine() -> dict[str, Any]:
    """What the figures depend on."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    machine = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{blas['name']} {blas['version']}",
        "cpu": _cpu(),
        "threads": 1,
    }
    if "torch" in sys.modules:
        machine["torch"] = sys.modules["torch"].__version__
    return machine


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def median_seconds(
    contenders: Mapping[str, Callable[[], object]], repeats: int, inner: int = 1
) -> dict[str, float]:
    """CPU seconds a call: the median of `repeats` rounds, in each `inner` calls of every contender.

    The contenders take turns, so that a slow minute of the machine falls on all of them, and CPU
    time leaves out what other processes take.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, call in contenders.items():
            start = time.process_time()
            for _ in range(inner):
                call()
            seconds[name].append((time.process_time() - start) / inner)
    return {name: float(np.median(times)) for name, times in seconds.items()}


def print_table(rows: Sequence[Mapping[str, object]]) -> None:
    """Columns by the keys of the first row; numbers stand right, with three digits that count."""
    header = list(rows[0])
    cells = [[_cell(row.get(key, "")) for key in header] for row in rows]
    widths = [max(len(line[i]) for line in [header, *cells]) for i in range(len(header))]
    for line in [header, *cells]:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:#.3g}".rstrip(".") if 1e-3 <= abs(value) < 1000 else f"{value:.4g}"
    return str(value)


def print_json(name: str, rows: Sequence[Mapping[str, object]], **more: object) -> None:
    """One line with everything the table shows, and the machine."""
    line = {"benchmark": name, "machine": describe_machine(), "rows": list(rows)} | more
    print(json.dumps(line), flush=True)
