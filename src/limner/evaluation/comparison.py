"""Comparison of two models or sets of captions on the same images."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from limner.data.dataset import Dataset
from limner.decoding import DecodingConfig
from limner.errors import InputError
from limner.evaluation.assessment import fingerprint, score_provenance, text_fingerprint
from limner.evaluation.evaluate import Evaluation, evaluate, score, training_tokens
from limner.metrics import Difference, DocumentFrequency
from limner.metrics import compare as compare_scores
from limner.models import WordModel


@dataclass(frozen=True)
class Comparison:
    """Two evaluations on the same images.

    Attributes:
        names: names of the two.
        evaluations: captions and scores of each.
        differences: second minus first, for each score, with the paired bootstrap.
        provenance: what the scores depend on.
    """

    names: tuple[str, str]
    evaluations: tuple[Evaluation, Evaluation] = field(repr=False)
    differences: dict[str, Difference]
    provenance: dict[str, str] = field(repr=False)

    def __repr__(self) -> str:
        changes = ", ".join(f"{name} {one.value:+.1f}" for name, one in self.differences.items())
        return f"Comparison({self.names[1]} minus {self.names[0]}: {changes})"

    def as_dict(self) -> dict[str, Any]:
        """The values that `limner compare --json` writes."""
        first, second = (
            {"path": name, "scores": one.scores}
            for name, one in zip(self.names, self.evaluations, strict=True)
        )
        differences = {n: {**asdict(one), "real": one.real} for n, one in self.differences.items()}
        return {
            "first": first,
            "second": second,
            "differences": differences,
            "provenance": self.provenance,
        }


def compare_models(
    models: Sequence[WordModel],
    dataset: Dataset,
    split: str | None = None,
    how: DecodingConfig = DecodingConfig(),
    names: tuple[str, str] = ("first", "second"),
) -> Comparison:
    """Compare the captions of two models.

    Args:
        models: the two models.
        dataset, split, how: see `limner.evaluation.evaluate.evaluate`.
        names: their names.

    Returns:
        The comparison.

    Raises:
        InputError: as `evaluate`.
    """
    known = training_tokens(dataset)
    frequency = DocumentFrequency.of(known) if known else None
    first, second = (evaluate(model, dataset, split, how, frequency) for model in models)
    provenance = {
        "decoding": str(how),
        "models": " and ".join(map(fingerprint, models)),
        "dataset": dataset.fingerprint[:12],
    }
    return _compared(names, (first, second), provenance)


def compare_captions(
    first: Mapping[str, str],
    second: Mapping[str, str],
    references: dict[str, list[str]],
    names: tuple[str, str] = ("first", "second"),
) -> Comparison:
    """Compare two sets of captions with the same references.

    Args:
        first, second: {image id: caption}.
        references: {image id: references}.

    Returns:
        The comparison.

    Raises:
        InputError: if they have different images.
    """
    if first.keys() != second.keys():
        raise InputError(
            f"{names[0]} and {names[1]}: captions of different images, {len(first)} and "
            f"{len(second)}; scores on different images cannot be compared"
        )
    ours, theirs = (score({i: one[i] for i in first}, references) for one in (first, second))
    provenance = {"captions": " and ".join(map(text_fingerprint, (first, second)))}
    return _compared(names, (ours, theirs), provenance)


def _compared(
    names: tuple[str, str], both: tuple[Evaluation, Evaluation], provenance: dict[str, str]
) -> Comparison:
    found = compare_scores(both[0].table, both[1].table)
    return Comparison(names, both, found, {**score_provenance(both[0].references), **provenance})
