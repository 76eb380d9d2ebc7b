"""The phases of a training."""

from limner.data.dataset import Dataset
from limner.engine import Regularization
from limner.errors import InputError
from limner.evaluation.evaluate import training_tokens
from limner.layers import SoftTargets
from limner.training.config import TrainConfig
from limner.training.distillation import Distillation
from limner.training.objectives import Likelihood, Objective
from limner.training.scheduled_sampling import ScheduledSampling
from limner.training.scst import SelfCritical
from limner.training.solver import Phase

SCST_CLIP_NORM = 1.0
"""Maximum gradient norm in self-critical training."""


def check_references(config: TrainConfig, dataset: Dataset) -> None:
    """Raise InputError if self-critical training has no references."""
    if config.critical_epochs and not dataset.references.get("train"):
        raise InputError(
            f"{dataset.path}: no raw references, and critical_epochs needs them; "
            "leave it out, or prepare a dataset from images and captions"
        )


def phases_of(
    config: TrainConfig, dataset: Dataset, soft_targets: SoftTargets | None = None
) -> list[Phase]:
    """The phases: maximum likelihood or a variant, then self-critical training, if any.

    Args:
        config: the settings.
        dataset: the training dataset.
        soft_targets: for the training captions, if there are teachers.

    Returns:
        One or two phases.
    """
    settings = {"learning_rate": config.learning_rate}
    if config.update_rule == "adamw":
        settings["weight_decay"] = config.weight_decay
    words = dataset.vocabulary.word_to_idx
    objective: Objective = Likelihood()
    if config.scheduled_sampling:
        objective = ScheduledSampling(config.scheduled_sampling, words)
    elif soft_targets is not None:
        objective = Distillation(soft_targets)
    first = Phase(objective, config.epochs, config.update_rule, settings, config.regularization)
    if not config.critical_epochs:
        return [first]
    references = training_tokens(dataset)
    self_critical = SelfCritical(
        references,
        words,
        config.critical_samples,
        config.critical_likelihood,
        config.critical_bleu,
    )
    settings = {"learning_rate": config.critical_learning_rate}
    clipped = Regularization(clip_norm=SCST_CLIP_NORM)
    return [first, Phase(self_critical, config.critical_epochs, "adam", settings, clipped)]
