"""A run's history.jsonl: a line every 10 steps, and one an epoch."""

import json
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from limner.io import write_atomically, writing


class HistoryLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known after a step.

    Attributes:
        iteration: steps done. `epoch`: the same in epochs. `seconds`: spent on training.
        loss, reward: of the step.
        mean_loss, mean_reward: of an epoch that ends here.
        validation: scores after that epoch.
    """

    iteration: Annotated[int, Meta(ge=0)]
    epoch: Annotated[float, Meta(ge=0)] = 0.0
    seconds: Annotated[float, Meta(ge=0)] = 0.0
    loss: float | None = None
    reward: float | None = None
    mean_loss: float | None = None
    mean_reward: float | None = None
    validation: dict[str, float | None] | None = None


class History:
    """The file in a run's folder.

    Args:
        folder: the run's.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "history.jsonl"

    def clear(self) -> None:
        """Begin anew."""
        write_atomically(self._file, "")

    def cut(self, iteration: int) -> None:
        """Leave out what comes after a step, and lines that were cut short."""
        known = [line for line in read_history(self._folder) if line.iteration <= iteration]
        write_atomically(self._file, "".join(map(_json, known)))

    def append(self, line: HistoryLine) -> None:
        """Add a line.

        Raises:
            LimnerError: if it cannot be written.
        """
        with writing(self._file), self._file.open("a", encoding="utf-8") as file:
            file.write(_json(line))


def read_history(folder: Path) -> list[HistoryLine]:
    """The lines of a run's history.jsonl; those that are damaged are left out."""
    file = folder / "history.jsonl"
    lines = file.read_text("utf-8", errors="replace").splitlines() if file.exists() else []
    history = []
    for line in lines:
        try:
            history.append(msgspec.convert(json.loads(line), HistoryLine))
        except (ValueError, RecursionError):  # a line that a crash has cut short
            continue
    return history


def _json(line: HistoryLine) -> str:
    return json.dumps(msgspec.to_builtins(line)) + "\n"
