"""Settings of a training, as in config.toml, and the model and schedule made from them.

In files and on the command line, `model` is the kind of model, and the settings of this kind
(`attention_dim`, ...) are at the same level as all others.

Shapes: N images, L regions, D features.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import msgspec
import numpy as np
from msgspec import Meta

from limner.config import MANY, Config, Seed, annotations
from limner.data.dataset import Dataset
from limner.engine import Regularization
from limner.errors import InputError
from limner.evaluation.evaluate import check_features
from limner.models import MODELS, Batch, CaptioningModel, ModelConfig, RNNConfig, model_class
from limner.training.schedules import SCHEDULES
from limner.typing import Array, Float

Share = Annotated[float, Meta(ge=0, lt=1)]
Rate = Annotated[float, Meta(gt=0, le=MANY)]
Amount = Annotated[float, Meta(ge=0, le=MANY)]
Count = Annotated[int, Meta(ge=0, le=MANY)]


class TrainConfig(Config, frozen=True, kw_only=True):
    """Settings of a training."""

    model: ModelConfig = RNNConfig()
    standardise: Annotated[
        bool, Meta(description="Standardize features by the mean and deviation of training images.")
    ] = False
    dropout_embedding: Annotated[Share, Meta(description="Dropout rate of word vectors.")] = 0.0
    dropout_features: Annotated[Share, Meta(description="Dropout rate of projected features.")] = (
        0.0
    )
    dropout_output: Annotated[Share, Meta(description="Dropout rate of the outputs.")] = 0.0
    label_smoothing: Annotated[Share, Meta(description="Label smoothing.")] = 0.0
    clip_norm: Annotated[Amount, Meta(description="Maximum gradient norm; 0 disables it.")] = 0.0
    update_rule: Annotated[
        Literal["sgd", "sgd_momentum", "rmsprop", "adam", "adamw"], Meta(description="Optimizer.")
    ] = "adam"
    learning_rate: Annotated[Rate, Meta(description="Peak learning rate.")] = 1e-3
    weight_decay: Annotated[Amount, Meta(description="Weight decay of adamw.")] = 0.0
    schedule: Annotated[
        Literal["epochs", "constant", "cosine", "one-cycle"],
        Meta(description="Schedule; epochs multiplies by --lr-decay per epoch."),
    ] = "epochs"
    lr_decay: Annotated[
        float, Meta(gt=0, le=1, description="Factor on the learning rate after every epoch.")
    ] = 0.85
    warmup: Annotated[Share, Meta(description="Share of the training used for warm-up.")] = 0.0
    patience: Annotated[
        Count, Meta(description="Epochs without a better CIDEr before stopping; 0 disables it.")
    ] = 0
    batch_size: Annotated[int, Meta(ge=1, le=MANY, description="Captions per step.")] = 128
    epochs: Annotated[int, Meta(ge=1, le=MANY, description="Number of epochs.")] = 10
    scheduled_sampling: Annotated[
        float, Meta(ge=0, le=1, description="Final share of input tokens sampled by the model.")
    ] = 0.0
    teachers: Annotated[
        tuple[str, ...],
        Meta(
            description="Teacher run or checkpoint; repeat for several.",
            extra={"option": "--teacher", "metavar": "RUN"},
        ),
    ] = ()
    distillation: Annotated[
        float, Meta(gt=0, le=1, description="Weight of the teachers' soft targets.")
    ] = 0.5
    critical_epochs: Annotated[
        Count, Meta(description="Epochs of self-critical training (SCST).")
    ] = 0
    critical_learning_rate: Annotated[Rate, Meta(description="Learning rate of SCST.")] = 2e-5
    critical_samples: Annotated[
        int,
        Meta(ge=2, le=1000, description="Captions sampled per image in SCST."),
    ] = 5
    critical_likelihood: Annotated[
        Amount, Meta(description="Weight of the reference captions in SCST.")
    ] = 0.2
    critical_bleu: Annotated[
        Amount, Meta(description="Weight of BLEU-4, added to CIDEr-D in the SCST reward.")
    ] = 1.0
    average: Annotated[Count, Meta(description="Last epochs to average; 0 disables it.")] = 0
    seed: Annotated[Seed, Meta(description="Random seed.")] = 0
    checkpoint_seconds: Annotated[
        Amount, Meta(description="Seconds between checkpoints within an epoch.")
    ] = 60.0

    def __post_init__(self) -> None:
        super().__post_init__()
        epochs = self.epochs + self.critical_epochs
        if self.average == 1 or self.average > epochs:
            raise ValueError(
                f"`average` {self.average}: expected 0, or from 2 to the {epochs} of the training"
            )
        if self.teachers and self.scheduled_sampling:
            raise ValueError(
                "`scheduled_sampling` and `teachers` cannot be combined: soft targets are computed "
                "for the reference captions; leave one out"
            )

    def without_effect(self) -> Iterator[tuple[bool, Sequence[str], str]]:
        """See `Config.without_effect`."""
        yield not self.teachers, ("distillation",), "`teachers` unset"
        yield self.schedule == "epochs", ("warmup",), "`schedule` epochs"
        yield self.schedule != "epochs", ("lr_decay",), f"`schedule` {self.schedule}"
        yield self.update_rule != "adamw", ("weight_decay",), f"`update_rule` {self.update_rule}"
        critical = [name for name in self.__struct_fields__ if name.startswith("critical_")]
        yield not self.critical_epochs, critical, "`critical_epochs` 0"

    @classmethod
    def from_flat(cls, settings: Mapping[str, Any]) -> Self:
        """From settings at one level: `model` is the kind, its own settings are beside it.

        Settings of other kinds are ignored if they have their defaults.

        Args:
            settings: {name: value}.

        Raises:
            ValueError: for an unknown setting, a value out of its limits, or one without effect.

        >>> TrainConfig.from_flat({"model": "attention", "attention_dim": 64}).model.attention_dim
        64
        """
        kind = settings.get("model", RNNConfig.__struct_config__.tag)
        model = model_class(str(kind)).config_type
        own = {name: value for name, value in settings.items() if name in annotations(model)}
        others = {n: v for n, v in settings.items() if n not in own and n != "model"}
        for name, defaults in model_settings().items():
            if name in others and others.pop(name) not in defaults:
                raise ValueError(f"`{name}` has no effect with `model` {kind}: leave it out")
        return cls.from_values({"model": model.from_values(own), **others})

    def to_flat(self) -> dict[str, Any]:
        """The inverse of `from_flat`, with JSON-able values."""
        settings = json.loads(msgspec.json.encode(self))
        model = settings.pop("model")
        return {"model": model.pop("kind"), **model, **settings}

    @property
    def reads_grid(self) -> bool:
        """Whether the model reads region features."""
        return bool(self.model_type.reads_grid)

    @property
    def model_type(self) -> type[CaptioningModel]:
        """The class of the model."""
        return model_class(str(type(self.model).__struct_config__.tag))

    @property
    def regularization(self) -> Regularization:
        """The settings for the engine."""
        rates = {
            "embedding": self.dropout_embedding,
            "features": self.dropout_features,
            "output": self.dropout_output,
        }
        dropout = {site: rate for site, rate in rates.items() if rate}
        return Regularization(dropout, self.label_smoothing, self.clip_norm or None)

    @property
    def learning_rate_schedule(self) -> Callable[[float], float] | None:
        """Function from the progress of a phase to a learning rate factor; None for "epochs"."""
        if self.schedule == "epochs":
            return None
        schedule = SCHEDULES[self.schedule]
        return lambda done: schedule(done, self.warmup)


def model_settings() -> dict[str, list[Any]]:
    """The settings of all kinds of models, with their defaults."""
    defaults: dict[str, list[Any]] = {}
    for model in MODELS:
        for field in msgspec.structs.fields(model.config_type):
            defaults.setdefault(field.name, []).append(field.default)
    return defaults


def read_config(path: Path | None, given: Mapping[str, Any] | None = None) -> TrainConfig:
    """Read a TOML file of settings; missing ones have their defaults.

    Args:
        path: None for no file.
        given: settings that override those of the file.

    Returns:
        The settings.

    Raises:
        InputError: if the file cannot be read, or a setting is unknown or invalid.
    """
    try:
        settings = msgspec.toml.decode(path.read_bytes()) if path else {}
        return TrainConfig.from_flat({**settings, **(given or {})})
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); name a TOML file") from None
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InputError(f"{path}: no TOML ({error}); docs/training.md has the settings") from None
    except ValueError as error:
        problem = f"{path}: {error}".replace("`", "") if path else error  # a file has no arguments
        raise InputError(f"{problem}; docs/training.md has the settings") from None


def new_model(config: TrainConfig, dataset: Dataset, rng: np.random.Generator) -> CaptioningModel:
    """Create the model of a training.

    Args:
        config: the settings.
        dataset: its vocabulary and features.
        rng: for the initial parameters.

    Returns:
        The model.

    Raises:
        InputError: if the model cannot read the dataset's features.
    """
    dataset = dataset.reading(config.reads_grid)
    words, D = dataset.vocabulary.word_to_idx, dataset.input_dim
    model = config.model_type.from_config(config.model, words, D, rng)
    check_features(dataset, model)
    grid = (1,) if model.reads_grid else ()
    example = Batch(np.zeros((1, *grid, D)), np.zeros((1, 2), np.int32))
    if sites := config.regularization.dropout.keys() - model.dropout_sites(example).keys():
        raise InputError(f"`dropout_{min(sites)}` has no effect with this model: leave it out")
    if config.standardise:
        model.feature_mean, model.feature_std = _mean_and_std(dataset.splits["train"].features)
    return model


def _mean_and_std(features: Float[Array, "N *_ D"]) -> tuple[Array, Array]:
    """Mean and standard deviation of each feature over all images and regions, by blocks."""
    D = features.shape[-1]
    total, squares, count = np.zeros(D), np.zeros(D), 0
    for start in range(0, len(features), 256):
        block = np.asarray(features[start : start + 256], np.float64).reshape(-1, D)
        total += block.sum(axis=0)
        squares += (block**2).sum(axis=0)
        count += len(block)
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0))
    std[std < 1e-6] = 1  # a constant feature is not scaled
    return mean.astype(np.float32), std.astype(np.float32)
