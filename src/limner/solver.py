"""The training loop: minibatches, decay, history, and a state from which it goes on bit for bit."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from limner.arrays import Array
from limner.data.dataset import Split
from limner.engine import NumpyEngine, Regularisation
from limner.layers import Shared
from limner.models import CaptioningModel
from limner.optim import checked_settings
from limner.scheduled_sampling import mixed_inputs
from limner.self_critical import Critic

CRITICAL_CLIP = 1.0
"""The largest norm of a gradient of the critic's."""


class CaptioningSolver:
    """Trains a captioning model on one split.

    Args:
        model: trained in place.
        data: a `Split`, or the course's dict with `train_captions` (M, T), `train_image_idxs`
            (M,) and `train_features` (N, D).
        update_rule: "sgd", "sgd_momentum", "rmsprop", "adam" or "adamw".
        optim_config: the rule's settings, e.g. `{"learning_rate": 1e-3}`.
        lr_decay: the learning rate is multiplied by it after every epoch, the critic's too.
        batch_size: captions a step.
        num_epochs: an epoch is `max(M // batch_size, 1)` steps.
        print_every: prints the loss at every such step, if `verbose`.
        verbose: print the course's lines.
        shuffle: True takes every caption once an epoch, in random order; False draws every
            minibatch anew, with replacement, as the course does.
        rng: where minibatches and dropout are drawn from; None takes NumPy's global state for the
            minibatches, as the course does.
        regularisation: dropout, label smoothing, clipping.
        schedule: the share of the training that is done -> a factor on the learning rate; it takes
            the place of `lr_decay`.
        scheduled_sampling: the share of the words that go in which the model draws itself, at the
            end of the training; it grows from 0. See `limner.scheduled_sampling`.
        shared: (M, T - 1, K) what teachers expect beside the captions' own words; see
            `limner.distillation`.
        critic: after `num_epochs` goes on with captions of the model's own; the schedule, if there
            is one, begins again, and `loss_history` holds minus the mean rewards. See
            `limner.self_critical`.
        on_step, on_epoch: called with the solver after every step, after every epoch.

    Attributes:
        loss_history: the loss of every step so far.
        iteration: steps done. `epoch`: epochs done.
        finished: set by a callback, ends the training early.

    Raises:
        ValueError: for an unknown argument, rule or setting.

    >>> from limner.data.dataset import Split
    >>> from limner.models import CaptioningRNN
    >>> captions = np.array([[1, 3, 2], [1, 4, 2]], dtype=np.int32)
    >>> split = Split(captions, np.array([0, 1]), np.eye(2, dtype=np.float32), ("a", "b"))
    >>> words = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3, "dog": 4}
    >>> rng = np.random.default_rng(0)
    >>> model = CaptioningRNN(words, input_dim=2, rng=rng)
    >>> adam = {"learning_rate": 1e-2}
    >>> solver = CaptioningSolver(
    ...     model, split, "adam", adam, num_epochs=50, batch_size=2, verbose=False, rng=rng
    ... )
    >>> solver.train()
    >>> model.sample(split.features, max_length=2).tolist()
    [[3, 2], [4, 2]]
    """

    def __init__(
        self,
        model: CaptioningModel,
        data: Split | Mapping[str, Any],
        update_rule: str = "sgd",
        optim_config: dict[str, Any] | None = None,
        lr_decay: float = 1.0,
        batch_size: int = 100,
        num_epochs: int = 10,
        print_every: int = 10,
        verbose: bool = True,
        shuffle: bool = False,
        rng: np.random.Generator | None = None,
        regularisation: Regularisation | None = None,
        schedule: Callable[[float], float] | None = None,
        scheduled_sampling: float = 0.0,
        shared: Shared | None = None,
        critic: Critic | None = None,
        on_step: Callable[["CaptioningSolver"], None] | None = None,
        on_epoch: Callable[["CaptioningSolver"], None] | None = None,
        **unknown: Any,
    ) -> None:
        if unknown:
            raise ValueError(f"unknown arguments: {', '.join(sorted(unknown))}")
        self.model = model
        self.train_split = data if isinstance(data, Split) else Split.from_course(data, "train")
        self.engine = NumpyEngine(model, update_rule, optim_config, regularisation, rng)
        self.schedule = schedule
        self.scheduled_sampling = scheduled_sampling
        self.shared = shared
        self.critic = critic
        self._learning_rate = checked_settings(update_rule, optim_config)["learning_rate"]
        self.lr_decay = lr_decay
        self.batch_size = batch_size
        self.num_epochs = num_epochs
        self.print_every = print_every
        self.verbose = verbose
        self.shuffle = shuffle
        self.rng = rng
        self.on_step = on_step
        self.on_epoch = on_epoch

        self.finished = False
        self.loss_history: list[float] = []
        self._order = np.arange(0)

    @property
    def iteration(self) -> int:
        """Steps done so far."""
        return len(self.loss_history)

    @property
    def steps_per_epoch(self) -> int:
        """Steps in an epoch; a remainder smaller than a batch is left out."""
        return max(len(self.train_split.captions) // self.batch_size, 1)

    @property
    def num_iterations(self) -> int:
        """Steps in the whole training."""
        critical = self.critic.how.epochs if self.critic else 0
        return self._num_likelihood + critical * self.steps_per_epoch

    @property
    def _num_likelihood(self) -> int:
        """Steps before the critic's."""
        return self.num_epochs * self.steps_per_epoch

    @property
    def is_critical(self) -> bool:
        """Whether the next step is the critic's."""
        return self.critic is not None and self.iteration >= self._num_likelihood

    @property
    def epoch(self) -> int:
        """Whole epochs done so far."""
        return self.iteration // self.steps_per_epoch

    def train(self) -> None:
        """Run to the end, from wherever the solver stands."""
        while self.iteration < self.num_iterations and not self.finished:
            if self.iteration == self._num_likelihood:
                self._begin_critical()
            if self.schedule:
                factor = self.schedule(self._done)
                self.engine.set_learning_rate(self._learning_rate * factor)
            self.loss_history.append(self._step(self._draw()))
            if self.verbose and (self.iteration - 1) % self.print_every == 0:
                print(
                    f"(Iteration {self.iteration} / {self.num_iterations}) "
                    f"loss: {self.loss_history[-1]:f}"
                )
            if self.iteration % self.steps_per_epoch == 0 and not self.schedule:
                self.engine.scale_learning_rate(self.lr_decay)
            if self.on_step:
                self.on_step(self)
            if self.on_epoch and self.iteration % self.steps_per_epoch == 0:
                self.on_epoch(self)

    @property
    def _done(self) -> float:
        """The share of the likelihood's steps that is done; or later, of the critic's."""
        if self.is_critical:
            before, total = self._num_likelihood, self.num_iterations
            return (self.iteration - before) / (total - before)
        return self.iteration / max(self._num_likelihood, 1)

    def _begin_critical(self) -> None:
        """The critic's steps have an Adam of their own, and nothing but clipping beside it."""
        if self.critic is not None:
            self._learning_rate = self.critic.how.learning_rate
            settings = {"learning_rate": self._learning_rate}
            regularisation = Regularisation(clip_norm=CRITICAL_CLIP)
            self.engine = NumpyEngine(self.model, "adam", settings, regularisation, self.rng)

    def _step(self, rows: Array) -> float:
        split, rng = self.train_split, self.rng
        if self.is_critical and self.critic is not None:
            captions, features, of = split.shared_minibatch(rows, rng)
            images = np.unique(split.image_idxs[rows])
            return self.critic.step(self.engine, features, images, captions, of)
        whose: Array | None = None
        if self.model.reads_grid:  # too large to be projected for every caption anew
            captions, features, whose = split.shared_minibatch(rows, rng)
        else:
            captions, features = split.minibatch(rows, rng)
        inputs = None
        if self.scheduled_sampling:
            share, draw = self.scheduled_sampling * self._done, rng or np.random.default_rng()
            inputs = mixed_inputs(self.model, features, captions, whose, share, draw)
        shared = self.shared and Shared(*(part[rows] for part in self.shared))
        return self.engine.step(features, captions, whose, None, inputs, shared)

    def _draw(self) -> Array:
        """The caption rows of the next minibatch, (batch_size,) or fewer."""
        M = len(self.train_split.captions)
        if not self.shuffle:
            choice = np.random.choice if self.rng is None else self.rng.choice
            return choice(M, self.batch_size)
        position = self.iteration % self.steps_per_epoch * self.batch_size
        if position == 0:
            permutation = np.random.permutation if self.rng is None else self.rng.permutation
            together = self.model.reads_grid or self.is_critical
            self._order = self._by_picture(permutation) if together else permutation(M)
        return self._order[position : position + self.batch_size]

    def _by_picture(self, permutation: Callable[[int], Array]) -> Array:
        """All captions, picture by picture in random order."""
        place = permutation(len(self.train_split.features))
        return np.argsort(place[self.train_split.image_idxs], kind="stable")

    def state(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """All that `restore` needs: tensors, and the random generator's state (JSON-able)."""
        tensors = {
            "solver/loss_history": np.asarray(self.loss_history, dtype=np.float64),
            "solver/order": self._order,
            **{f"optimizer/{name}": value for name, value in self.engine.state_dict().items()},
        }
        rng_state = {} if self.rng is None else dict(self.rng.bit_generator.state)
        return tensors, rng_state

    def restore(self, tensors: Mapping[str, Array], rng_state: dict[str, Any]) -> None:
        """Go on where another solver's `state` was taken (the model's parameters come apart)."""
        self.loss_history = tensors["solver/loss_history"].tolist()
        if self.iteration > self._num_likelihood:
            self._begin_critical()
        self._order = tensors["solver/order"]
        prefix = "optimizer/"
        self.engine.load_state_dict(
            {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
        )
        if self.rng is not None:
            self.rng.bit_generator.state = rng_state
