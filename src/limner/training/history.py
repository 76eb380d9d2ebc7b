"""history.jsonl of a run: one line per 10 steps, and one per epoch."""

import json
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from limner.io import write_atomically, writing


class HistoryLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of the history.

    Attributes:
        iteration: number of steps. `epoch`: number of epochs. `seconds`: training time.
        loss, reward: of the step.
        mean_loss, mean_reward: of the epoch that ends with this step.
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
    """The file history.jsonl.

    Args:
        folder: folder of the run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "history.jsonl"

    def clear(self) -> None:
        """Delete all lines."""
        write_atomically(self._file, "")

    def cut(self, iteration: int) -> None:
        """Delete lines after a step, and incomplete lines."""
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
    """Read history.jsonl of a run, without damaged lines.

    Args:
        folder: folder of the run.
    """
    file = folder / "history.jsonl"
    lines = file.read_text("utf-8", errors="replace").splitlines() if file.exists() else []
    history = []
    for line in lines:
        try:
            history.append(msgspec.convert(json.loads(line), HistoryLine))
        except (ValueError, RecursionError):  # an incomplete line, after a crash
            continue
    return history


def _json(line: HistoryLine) -> str:
    return json.dumps(msgspec.to_builtins(line)) + "\n"
