"""Which of a run's models is the best, by the scores of its captions of the validation split."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from limner.data.dataset import Dataset
from limner.decoding import Decoder
from limner.evaluation.evaluate import Evaluation, evaluate
from limner.models import CaptioningModel

SCORE = "CIDEr"
"""The validation score that is reported, and by which the best model is chosen first of all."""

HANDFUL = 0.02
"""One caption, or as few as this share of the validation images, is called a collapse."""


@dataclass
class Validation:
    """Scores of a model in training, and the best so far.

    Attributes:
        dataset: with the split to validate on.
        report: takes a line for the user.
        best: scores of the best model.
        best_epoch: when it was the newest.
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
        """Greedy captions of the split, scored."""
        return evaluate(model, self.dataset, decoder=decoder)

    def is_best(self, scores: dict[str, float], epoch: int) -> bool:
        """Whether these are the best scores so far; they are kept."""
        better = rank(scores) > rank(self.best)
        if better:
            self.best, self.best_epoch = scores, epoch
        return better

    def report_collapse(self, captions: Mapping[str, str]) -> None:
        """Say it where a model gives nearly all images the same captions."""
        different, images = len(set(captions.values())), len(captions)
        if images > 2 and different <= max(HANDFUL * images, 1):
            self.report(
                f"only {different} different captions for {images} images: the model does not "
                "look at them yet; if it stays so, lower the learning rate or the dropout"
            )


def rank(scores: Mapping[str, float]) -> list[float]:
    """What to compare models by: CIDEr, then BLEU, for where it is 0 throughout."""
    return [scores.get(name, -1.0) for name in (SCORE, "BLEU-4", "BLEU-3", "BLEU-2", "BLEU-1")]
