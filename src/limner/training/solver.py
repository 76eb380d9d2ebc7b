"""The training loop: phases, minibatches, learning rate decay, history, and resumable state."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from limner.data.dataset import Split
from limner.engine import Engine, EngineFactory, Regularization
from limner.models import CaptioningModel
from limner.optim import checked_settings
from limner.randomness import Random, global_if_none
from limner.training.objectives import BatchRequest, Objective
from limner.typing import Array, Int


@dataclass(frozen=True)
class Phase:
    """A part of a training, with its own optimizer.

    Attributes:
        objective: makes the batches.
        epochs: passes over the captions.
        update_rule, optim_config: see `limner.optim`.
        regularization: dropout, label smoothing, clipping.
    """

    objective: Objective
    epochs: int
    update_rule: str = "sgd"
    optim_config: Mapping[str, float] | None = None
    regularization: Regularization = field(default_factory=Regularization)

    def __post_init__(self) -> None:
        checked_settings(self.update_rule, self.optim_config)

    @property
    def learning_rate(self) -> float:
        """The peak learning rate."""
        return checked_settings(self.update_rule, self.optim_config)["learning_rate"]


class Solver:
    """Trains a captioning model on one split, phase by phase.

    Args:
        model: trained in place.
        split: the captions and features.
        phases: the phases, in order.
        lr_decay: factor on the learning rate after every epoch of a phase.
        batch_size: captions per step.
        print_every: number of steps between printed losses, if `verbose`.
        verbose: print the course's lines.
        shuffle: True visits every caption once per epoch, in random order; False samples every
            minibatch with replacement, as the course does.
        rng: for minibatches, dropout and sampling; None is NumPy's global state.
        schedule: function from the progress of a phase to a learning rate factor, instead of
            `lr_decay`.
        engine: creates the engine of each phase.
        on_step, on_epoch: called with the solver after every step or epoch.

    Attributes:
        engine: of the current phase.
        phase: the current phase.
        loss_history: the loss of every step, or the objective's value.
        iteration: number of steps. `epoch`: number of epochs.
        finished: a callback sets it to end the training.

    Raises:
        ValueError: without phases, or for an unknown rule or setting, a size below 1, or `lr_decay`
            together with a schedule.
    """

    def __init__(
        self,
        model: CaptioningModel,
        split: Split,
        phases: Sequence[Phase],
        *,
        lr_decay: float = 1.0,
        batch_size: int = 100,
        print_every: int = 10,
        verbose: bool = True,
        shuffle: bool = False,
        rng: Random | None = None,
        schedule: Callable[[float], float] | None = None,
        engine: EngineFactory,
        on_step: Callable[["Solver"], None] | None = None,
        on_epoch: Callable[["Solver"], None] | None = None,
    ) -> None:
        if not phases:
            raise ValueError("phases: expected one or more")
        if min(batch_size, print_every) < 1:
            raise ValueError(
                f"batch_size {batch_size}, print_every {print_every}: expected 1 or more"
            )
        if schedule and lr_decay != 1:
            raise ValueError(f"`lr_decay` {lr_decay} has no effect with a schedule: leave it out")
        self.model = model
        self.train_split = split
        self.phases = tuple(phases)
        self.lr_decay = lr_decay
        self.batch_size = batch_size
        self.print_every = print_every
        self.verbose = verbose
        self.shuffle = shuffle
        self.rng = rng
        self.schedule = schedule
        self.on_step = on_step
        self.on_epoch = on_epoch

        self.finished = False
        self.loss_history: list[float] = []
        self._new_engine = engine
        self._order = np.arange(0)
        self._begin(0)

    @property
    def iteration(self) -> int:
        """Number of steps so far."""
        return len(self.loss_history)

    @property
    def steps_per_epoch(self) -> int:
        """Steps per epoch, without an incomplete last batch."""
        return steps_per_epoch(len(self.train_split.captions), self.batch_size)

    @property
    def num_epochs(self) -> int:
        """Number of epochs of all phases."""
        return sum(phase.epochs for phase in self.phases)

    @property
    def num_iterations(self) -> int:
        """Number of steps of all phases."""
        return self.num_epochs * self.steps_per_epoch

    @property
    def epoch(self) -> int:
        """Number of complete epochs so far."""
        return self.iteration // self.steps_per_epoch

    @property
    def phase(self) -> Phase:
        """The phase of the last step, or the first one."""
        return self.phases[self._number]

    def train(self) -> None:
        """Train until the end, from the current step."""
        while self.iteration < self.num_iterations and not self.finished:
            while self.iteration >= self._last_step:
                self._begin(self._number + 1)
            if self.schedule:
                self._learning_rate = self.phase.learning_rate * self.schedule(self.progress)
            self.loss_history.append(self._step())
            if self.verbose and (self.iteration - 1) % self.print_every == 0:
                print(
                    f"(Iteration {self.iteration} / {self.num_iterations}) "
                    f"loss: {self.loss_history[-1]:f}"
                )
            at_epoch = self.iteration % self.steps_per_epoch == 0
            if at_epoch:
                self._learning_rate *= self.lr_decay
            if self.on_step:
                self.on_step(self)
            if self.on_epoch and at_epoch:
                self.on_epoch(self)

    @property
    def progress(self) -> float:
        """Progress of the current phase, from 0 to 1."""
        return (self.iteration - self._first_step) / max(self._last_step - self._first_step, 1)

    def _begin(self, number: int) -> None:
        """Start a phase, with a new engine and optimizer."""
        phase = self.phases[number]
        self._number = number
        self._first_step = self.steps_per_epoch * sum(p.epochs for p in self.phases[:number])
        self._last_step = self._first_step + phase.epochs * self.steps_per_epoch
        self._learning_rate = phase.learning_rate
        settings = dict(phase.optim_config or {})
        settings.pop("learning_rate", None)
        self.engine: Engine = self._new_engine(
            self.model, phase.update_rule, settings, phase.regularization, self.rng
        )

    def _step(self) -> float:
        objective = self.phase.objective
        request = BatchRequest(
            self.train_split, self._draw(), self.progress, self.engine.decoder, self.rng
        )
        batch = objective.batch(request)
        return objective.value(self.engine.step(batch, self._learning_rate))

    def _draw(self) -> Int[Array, " B"]:
        """Indices of the captions of the next minibatch."""
        M, rng = len(self.train_split.captions), global_if_none(self.rng)
        if not self.shuffle:
            return rng.choice(M, self.batch_size)
        position = self.iteration % self.steps_per_epoch * self.batch_size
        if position == 0:
            together = self.phase.objective.by_image or self.train_split.features.ndim == 3
            self._order = self._by_image(rng) if together else rng.permutation(M)
        return self._order[position : position + self.batch_size]

    def _by_image(self, rng: Random) -> Int[Array, " M"]:
        """Indices of all captions, image by image, in random order."""
        rank = rng.permutation(len(self.train_split.features))
        return np.argsort(rank[self.train_split.image_idxs], kind="stable")

    def state(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """The state for `restore`: arrays, and JSON-able values."""
        tensors = {
            "solver/loss_history": np.asarray(self.loss_history, dtype=np.float64),
            "solver/order": self._order,
            **{f"optimizer/{name}": value for name, value in self.engine.state_dict().items()},
        }
        rng = self.rng
        return tensors, dict(rng.bit_generator.state) if isinstance(
            rng, np.random.Generator
        ) else {}

    def restore(self, tensors: Mapping[str, Array], rng_state: Mapping[str, Any]) -> None:
        """Restore the `state` of another solver; the model's parameters are not part of it.

        Args:
            tensors: the arrays of `state`.
            rng_state: the JSON-able values of `state`.

        Raises:
            KeyError, ValueError, OverflowError: if some of it is missing or invalid.
        """
        losses, order = tensors["solver/loss_history"], tensors["solver/order"]
        M = len(self.train_split.captions)
        if losses.ndim != 1 or not np.isfinite(losses).all():
            raise ValueError("losses that are not finite")
        if order.size and not np.array_equal(np.sort(order), np.arange(M)):
            raise ValueError(f"not a permutation of {M} captions")
        self.loss_history, self._order = losses.tolist(), order.astype(np.intp)
        while self.iteration > self._last_step and self._number + 1 < len(self.phases):
            self._begin(self._number + 1)
        for _ in range(self.epoch - self._first_step // self.steps_per_epoch):
            self._learning_rate *= self.lr_decay
        prefix = "optimizer/"
        self.engine.load_state_dict(
            {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
        )
        if isinstance(self.rng, np.random.Generator):
            self.rng.bit_generator.state = dict(rng_state)


def steps_per_epoch(num_captions: int, batch_size: int) -> int:
    """Steps per epoch, without an incomplete last batch."""
    return max(num_captions // batch_size, 1)
