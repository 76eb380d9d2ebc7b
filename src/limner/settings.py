"""The settings of a training, as config.toml holds them, and what they make: a model, its schedule.

Shapes: N pictures, L places, D features.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

import msgspec
import numpy as np

from limner.arrays import Array, Float
from limner.data.dataset import Dataset
from limner.engine import Regularisation
from limner.errors import InputError
from limner.evaluation import check_features
from limner.models import AttentionRNN, CaptioningModel, CaptioningRNN, Dropout
from limner.schedules import SCHEDULES

MOST = 1e6
"""Of any number: what is more, or not finite, is a mistake."""

Positive = Annotated[int, msgspec.Meta(ge=1, le=int(MOST))]
Share = Annotated[float, msgspec.Meta(ge=0, lt=1)]
Rate = Annotated[float, msgspec.Meta(gt=0, le=MOST)]
Amount = Annotated[float, msgspec.Meta(ge=0, le=MOST)]
Count = Annotated[int, msgspec.Meta(ge=0, le=int(MOST))]


class TrainConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of a training, as config.toml holds them.

    Attributes:
        model: rnn, `CaptioningRNN`; or attention, `AttentionRNN`, for a dataset with a grid.
        cell_type, num_layers, tied: of `CaptioningRNN`; an attention model is one LSTM, and tied.
        wordvec_dim, hidden_dim: W and H.
        attention_dim, place_dim: A and E of `AttentionRNN`.
        forget_bias: what the LSTM's forget gates begin with.
        standardise: features less their mean over the training pictures, by their deviation.
        dropout_embedding, dropout_features, dropout_output: see `Dropout`.
        label_smoothing, clip_norm: see `Regularisation`; a clip_norm of 0 leaves gradients alone.
        update_rule: of `limner.optim`.
        learning_rate: the highest.
        weight_decay: of adamw.
        schedule: of the learning rate; epochs multiplies it by `lr_decay` after each epoch, the
            others are in `limner.schedules`.
        warmup: share of the training in which a schedule goes up.
        patience: stop after so many epochs that were no better than the best; 0 never stops.
        batch_size: captions a step.
        epochs: passes over the training captions.
        scheduled_sampling: see `CaptioningSolver`.
        teachers: runs or checkpoints of the same vocabulary and features; what they find likely is
            learnt beside what people said. See `limner.distillation`.
        distillation: their share of it.
        critical_epochs: epochs of self-critical training after the others; with them, `patience`
            counts these alone.
        critical_learning_rate, critical_samples, critical_likelihood, critical_bleu: see
            `SelfCritical`.
        average: of the last so many epochs; the mean of their parameters is tried at the end, and
            is the best model if its score is.
        seed: of the parameters and the order of the captions.
        checkpoint_seconds: how often `last.safetensors` is written within an epoch.
    """

    model: Literal["rnn", "attention"] = "rnn"
    cell_type: Literal["rnn", "gru", "lstm"] = "lstm"
    num_layers: Positive = 1
    tied: bool = False
    wordvec_dim: Positive = 256
    hidden_dim: Positive = 512
    attention_dim: Positive = 256
    place_dim: Positive = 512
    forget_bias: Annotated[float, msgspec.Meta(ge=-MOST, le=MOST)] = 0.0
    standardise: bool = False
    dropout_embedding: Share = 0.0
    dropout_features: Share = 0.0
    dropout_output: Share = 0.0
    label_smoothing: Share = 0.0
    clip_norm: Amount = 0.0
    update_rule: Literal["sgd", "sgd_momentum", "rmsprop", "adam", "adamw"] = "adam"
    learning_rate: Rate = 1e-3
    weight_decay: Amount = 0.0
    schedule: Literal["epochs", "constant", "cosine", "one-cycle"] = "epochs"
    lr_decay: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.85
    warmup: Share = 0.0
    patience: Count = 0
    batch_size: Positive = 128
    epochs: Positive = 10
    scheduled_sampling: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    teachers: list[str] = msgspec.field(default_factory=list)
    distillation: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.5
    critical_epochs: Count = 0
    critical_learning_rate: Rate = 2e-5
    critical_samples: Annotated[int, msgspec.Meta(ge=2)] = 5
    critical_likelihood: Amount = 0.2
    critical_bleu: Amount = 1.0
    average: Count = 0
    seed: Annotated[int, msgspec.Meta(ge=0)] = 0
    checkpoint_seconds: Amount = 60.0

    @property
    def reads_grid(self) -> bool:
        """Whether the model reads the features of every place."""
        return self.model == "attention"

    def __post_init__(self) -> None:
        """Refuse a setting that would do nothing, rather than let somebody wait for its effect."""
        usual = {field.name: field.default for field in msgspec.structs.fields(self)}
        for condition, names, with_what in self._without_effect():
            for name in names if condition else ():
                if getattr(self, name) != usual[name]:
                    raise ValueError(f"{name} does nothing with {with_what}: leave it out")
        epochs = self.epochs + self.critical_epochs
        if self.average == 1 or self.average > epochs:
            raise ValueError(f"average {self.average}: expected 0, or 2 to all {epochs} epochs")
        if self.teachers and self.scheduled_sampling:
            raise ValueError(
                "scheduled_sampling does not go with teachers, who answer after people's words: "
                "leave one out"
            )

    def _without_effect(self) -> Iterator[tuple[bool, Sequence[str], str]]:
        """Conditions, settings that do nothing under them, and the condition in words."""
        yield self.model == "attention", ("cell_type", "num_layers", "tied"), "model attention"
        yield self.model == "rnn", ("attention_dim", "place_dim"), "model rnn"
        yield not self.teachers, ("distillation",), "no teachers"
        others = self.model == "rnn" and self.cell_type != "lstm"
        yield others, ("forget_bias",), f"cell_type {self.cell_type}"
        yield self.schedule == "epochs", ("warmup",), "schedule epochs"
        yield self.schedule != "epochs", ("lr_decay",), f"schedule {self.schedule}"
        yield self.update_rule != "adamw", ("weight_decay",), f"update_rule {self.update_rule}"
        names = [field.name for field in msgspec.structs.fields(self)]
        critical = [name for name in names if name.startswith("critical_")]
        yield not self.critical_epochs, critical, "critical_epochs 0"


def read_config(path: Path | None, given: Mapping[str, Any] | None = None) -> TrainConfig:
    """Read a TOML file of settings; what it does not name has its default.

    Args:
        path: None for no file.
        given: settings that come before the file's.

    Raises:
        InputError: if there is no such file, or a setting is unknown or wrong.
    """
    settings: dict[str, Any] = {}
    try:
        if path:
            settings = msgspec.toml.decode(path.read_bytes())
        return msgspec.convert({**settings, **(given or {})}, TrainConfig)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); name a TOML file") from None
    except msgspec.ValidationError as error:
        where = f"{path}: " if path else ""
        raise InputError(
            f"{where}{explain_invalid(error)}; docs/training.md has the settings"
        ) from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise InputError(f"{path}: no TOML ({error}); docs/training.md has the settings") from None


def explain_invalid(error: msgspec.ValidationError) -> str:
    """What is wrong with which setting, and what was expected.

    >>> try:
    ...     msgspec.convert({"model": "transformer"}, TrainConfig)
    ... except msgspec.ValidationError as error:
    ...     print(explain_invalid(error))
    model: Invalid enum value 'transformer', expected one of rnn, attention
    """
    what, _, place = str(error).partition(" - at `$.")
    name = place.removesuffix("`")
    allowed = get_args(get_type_hints(TrainConfig).get(name))
    if what.startswith("Invalid enum value"):
        what += f", expected one of {', '.join(allowed)}"
    return f"{name}: {what}" if name else what


def new_model(config: TrainConfig, dataset: Dataset, rng: np.random.Generator) -> CaptioningModel:
    """A model as the settings say, with its first parameters drawn from `rng`.

    Raises:
        InputError: if it cannot be made, or not read the dataset's features.
    """
    dataset = dataset.reading(config.reads_grid)
    words, D = dataset.vocabulary.word_to_idx, dataset.input_dim
    model: CaptioningModel
    try:
        if config.model == "attention":
            model = AttentionRNN(
                words,
                D,
                config.wordvec_dim,
                config.hidden_dim,
                config.attention_dim,
                config.place_dim,
                rng=rng,
                forget_bias=config.forget_bias,
            )
        else:
            model = CaptioningRNN(
                words,
                D,
                config.wordvec_dim,
                config.hidden_dim,
                config.cell_type,
                rng=rng,
                num_layers=config.num_layers,
                tied=config.tied,
                forget_bias=config.forget_bias,
            )
    except ValueError as error:
        raise InputError(f"{error}; change the settings") from None
    check_features(dataset, model)
    if config.standardise:
        model.feature_mean, model.feature_std = _mean_and_std(dataset.splits["train"].features)
    return model


def _mean_and_std(features: Float[Array, "N *_ D"]) -> tuple[Array, Array]:
    """Of each of the D numbers, over all pictures and places, block by block."""
    D = features.shape[-1]
    total, squares, count = np.zeros(D), np.zeros(D), 0
    for start in range(0, len(features), 256):
        block = np.asarray(features[start : start + 256], np.float64).reshape(-1, D)
        total += block.sum(axis=0)
        squares += (block**2).sum(axis=0)
        count += len(block)
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0))
    std[std < 1e-6] = 1  # a number that never changes says nothing, and is not blown up
    return mean.astype(np.float32), std.astype(np.float32)


def regularisation(config: TrainConfig) -> Regularisation:
    """The part of the settings that the engine takes."""
    dropout = Dropout(config.dropout_embedding, config.dropout_features, config.dropout_output)
    return Regularisation(dropout, config.label_smoothing, config.clip_norm or None)


def schedule_of(config: TrainConfig) -> Callable[[float], float] | None:
    """The share of the training that is done -> a factor on the learning rate; None for epochs."""
    if config.schedule == "epochs":
        return None
    schedule = SCHEDULES[config.schedule]
    return lambda done: schedule(done, config.warmup)
