"""A run's history.jsonl: a line every 10 steps, and one an epoch."""

import json
import math
from pathlib import Path
from typing import Any

from limner.io import write_atomically, writing


class History:
    """The file in a run's folder.

    Args:
        folder: the run's.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "history.jsonl"

    def clear(self) -> None:
        """Begin anew."""
        write_atomically(self._file, "")

    def cut(self, iteration: int) -> None:
        """Leave out what comes after a step, and lines that were cut short."""
        known = [line for line in _lines(self._file) if _iteration(line) <= iteration]
        write_atomically(self._file, "".join(f"{line}\n" for line in known))

    def append(self, **facts: Any) -> None:
        """Add a line.

        Raises:
            LimnerError: if it cannot be written.
        """
        with writing(self._file), self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(facts) + "\n")


def read_history(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's history.jsonl; a last line that was cut short is left out."""
    lines = _lines(folder / "history.jsonl")
    return [json.loads(line) for line in lines if _iteration(line) != math.inf]


def _lines(file: Path) -> list[str]:
    return file.read_text("utf-8", errors="replace").splitlines() if file.exists() else []


def _iteration(line: str) -> float:
    try:
        return float(json.loads(line)["iteration"])
    except (ValueError, KeyError, TypeError):
        return math.inf
