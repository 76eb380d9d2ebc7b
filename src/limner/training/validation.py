"""Validation: scores of a model's captions during training, and the best model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from limner.data.dataset import Dataset
from limner.decoding import Decoder
from limner.evaluation.evaluate import Evaluation, evaluate
from limner.models import CaptioningModel

SCORE = "CIDEr"
"""The reported validation score, and the first criterion for the best model."""

HANDFUL = 0.02
"""Number of different captions, as a share of the images, that counts as a collapse."""


@dataclass
class Validation:
    """Scores of a model in training, and the best so far.

    Attributes:
        dataset: with a validation split.
        report: called with each message.
        best: scores of the best model.
        best_epoch: its epoch.
    """

    dataset: Dataset
    report: Callable[[str], None]
    best: dict[str, float] = field(default_factory=dict)
    best_epoch: int = 0

    @property
    def split(self) -> str:
        """The name of the split."""
        return self.dataset.split()[0]

    @property
    def is_possible(self) -> bool:
        """Whether there are raw references."""
        return self.split in self.dataset.references

    def evaluate(self, model: CaptioningModel, decoder: Decoder) -> Evaluation:
        """Scores of greedy captions of the split."""
        return evaluate(model, self.dataset, decoder=decoder)

    def is_best(self, scores: dict[str, float], epoch: int) -> bool:
        """Whether these are the best scores so far; stores them if they are."""
        better = rank(scores) > rank(self.best)
        if better:
            self.best, self.best_epoch = scores, epoch
        return better

    def report_collapse(self, captions: Mapping[str, str]) -> None:
        """Report if nearly all images have the same captions."""
        different, images = len(set(captions.values())), len(captions)
        if images > 2 and different <= max(HANDFUL * images, 1):
            self.report(
                f"only {different} different captions for {images} images: they do not "
                "depend on the image yet; if this persists, lower the learning rate or the dropout"
            )


def rank(scores: Mapping[str, float]) -> list[float]:
    """The sort key of models: CIDEr, then BLEU, in case CIDEr is 0."""
    return [scores.get(name, -1.0) for name in (SCORE, "BLEU-4", "BLEU-3", "BLEU-2", "BLEU-1")]
