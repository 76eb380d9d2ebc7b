"""METEOR and SPICE by COCO's tools, if Java and pycocoevalcap are installed.

Sources: M. Denkowski and A. Lavie, "Meteor Universal", WMT 2014; P. Anderson et al., "SPICE:
semantic propositional image caption evaluation", ECCV 2016.

Shapes: N images, B resampled sets, K statistics of METEOR per image.
"""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from limner.metrics.bootstrap import Interval, interval, weights
from limner.metrics.ngrams import Tokens
from limner.typing import Array, Float


@dataclass(frozen=True)
class JavaScore:
    """A score of N captions by a Java tool.

    Attributes:
        value: score of the set, from 0 to 100.
        interval: 95 % bootstrap interval.
        per_image: (N,) scores of the images, from 0 to 100.
    """

    value: float
    interval: Interval
    per_image: Float[Array, " N"]


class JavaError(Exception):
    """A Java tool is missing or failed."""


def java_scores(
    candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]], seed: int = 0
) -> tuple[dict[str, JavaScore], list[str]]:
    """METEOR and SPICE of tokenized captions, if available.

    Args:
        candidates: one caption per image.
        references: at least one caption per image, in the same order.
        seed: for the bootstrap.

    Returns:
        The scores by name, and a line with the reason for each missing score.

    >>> from unittest import mock
    >>> with mock.patch("shutil.which", return_value=None):
    ...     java_scores([["a", "dog"]], [[["a", "dog"]]])
    ({}, ['METEOR and SPICE are left out: no Java here'])
    """
    if not shutil.which("java"):
        return {}, ["METEOR and SPICE are left out: no Java here"]
    if not find_spec("pycocoevalcap"):
        return {}, ["METEOR and SPICE are left out: pip install 'limner[coco]' adds them"]
    scores, problems = {}, []
    for name, tool in {"METEOR": _meteor, "SPICE": _spice}.items():
        try:
            scores[name] = tool(candidates, references, seed)
        except (JavaError, OSError, ValueError, subprocess.SubprocessError) as error:
            reason = " ".join(str(error).split())
            problems.append(f"{name} is left out: {reason}")
    return scores, problems


def _meteor(
    candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]], seed: int
) -> JavaScore:
    with _Meteor() as tool:
        pairs = zip(candidates, references, strict=True)
        statistics = np.array([tool.statistics(*pair) for pair in pairs])
        [whole] = tool.scores(statistics.sum(axis=0, keepdims=True))
        drawn = [tool.scores(block @ statistics) for block in weights(len(candidates), seed)]
        return JavaScore(whole, interval(np.concatenate(drawn)), tool.scores(statistics))


class _Meteor:
    """A METEOR process, with its protocol of lines and answers."""

    def __enter__(self) -> "_Meteor":
        jar = _folder("meteor") / "meteor-1.5.jar"
        command = ["java", "-jar", "-Xmx2G", jar.name, "-", "-", "-stdio", "-l", "en", "-norm"]
        pipe = subprocess.PIPE
        self._java: Any = subprocess.Popen(
            command, cwd=jar.parent, stdin=pipe, stdout=pipe, stderr=pipe, encoding="utf-8"
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._java.kill()
        self._java.communicate()

    def statistics(self, candidate: Tokens, references: Sequence[Tokens]) -> Float[Array, " K"]:
        """The statistics of an image; those of a set are their sum."""
        sentences = [_sentence(reference) for reference in references] + [_sentence(candidate)]
        [answer] = self._ask(f"SCORE ||| {' ||| '.join(sentences)}", 1)
        return np.array(answer.split(), dtype=float)

    def scores(self, statistics: Float[Array, "B K"]) -> Float[Array, " B"]:
        """METEOR, from 0 to 100, of each row of statistics."""
        rows = [" ".join(map(str, row)) for row in statistics.tolist()]
        answers = self._ask(f"EVAL ||| {' ||| '.join(rows)}", len(rows) + 1)
        return 100 * np.array(answers[:-1], dtype=float)  # the last one is of all rows

    def _ask(self, line: str, answers: int) -> list[str]:
        try:
            self._java.stdin.write(line + "\n")
            self._java.stdin.flush()
            lines = [self._java.stdout.readline() for _ in range(answers)]
        except BrokenPipeError:
            lines = [""]
        if "" in lines:  # the process has ended
            reasons = self._java.stderr.read().strip().splitlines()
            raise JavaError(reasons[-1] if reasons else "Java stopped")
        return lines


def _sentence(tokens: Tokens) -> str:
    return " ".join(token for token in tokens if token != "|||")


def _spice(
    candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]], seed: int
) -> JavaScore:
    models = _folder("spice") / "lib" / "stanford-corenlp-3.6.0-models.jar"
    if not models.exists():  # pycocoevalcap would download them
        raise JavaError(f"{models} is missing; python -m pycocoevalcap.spice.get_stanford_models")
    spice = import_module("pycocoevalcap.spice.spice").Spice()
    gts = {i: [" ".join(one) for one in several] for i, several in enumerate(references)}
    res = {i: [" ".join(candidate)] for i, candidate in enumerate(candidates)}
    _, found = spice.compute_score(gts, res)
    values = 100 * np.nan_to_num([scores["All"]["f"] for scores in found])
    drawn = [block @ values / len(values) for block in weights(len(values), seed)]
    return JavaScore(float(values.mean()), interval(np.concatenate(drawn)), values)


def _folder(tool: str) -> Path:
    """The folder of a tool of pycocoevalcap."""
    package = find_spec(f"pycocoevalcap.{tool}")
    if package is None or not package.submodule_search_locations:
        raise JavaError("pycocoevalcap is not whole; install it again")
    return Path(package.submodule_search_locations[0])
