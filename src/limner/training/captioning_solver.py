"""The course's solver: maximum likelihood with the course's arguments."""

from collections.abc import Mapping
from inspect import signature
from typing import Any

from limner.data.dataset import Split
from limner.engine import EngineFactory, NumpyEngine, Regularization
from limner.models import CaptioningModel
from limner.training.objectives import Likelihood
from limner.training.solver import Phase, Solver


class CaptioningSolver(Solver):
    """The course's solver: maximum likelihood on one split.

    Args:
        model: trained in place.
        data: a `Split`, or the course's dict with `train_captions` (M, T), `train_image_idxs`
            (M,) and `train_features` (N, D).
        update_rule: "sgd", "sgd_momentum", "rmsprop", "adam" or "adamw".
        optim_config: the rule's settings, e.g. `{"learning_rate": 1e-3}`.
        num_epochs: an epoch is `max(M // batch_size, 1)` steps.
        regularization: dropout, label smoothing, clipping.
        engine: creates the engine.
        options: see `Solver`.

    Raises:
        ValueError: for an unknown argument, rule or setting.

    >>> import numpy as np
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
        optim_config: Mapping[str, float] | None = None,
        lr_decay: float = 1.0,
        batch_size: int = 100,
        num_epochs: int = 10,
        print_every: int = 10,
        verbose: bool = True,
        *,
        regularization: Regularization | None = None,
        engine: EngineFactory = NumpyEngine,
        **options: Any,
    ) -> None:
        split = data if isinstance(data, Split) else Split.from_course(data, "train")
        phase = Phase(
            Likelihood(), num_epochs, update_rule, optim_config, regularization or Regularization()
        )
        if unknown := options.keys() - signature(Solver.__init__).parameters.keys():
            raise ValueError(f"unknown arguments: {', '.join(sorted(unknown))}")
        super().__init__(
            model,
            split,
            [phase],
            lr_decay=lr_decay,
            batch_size=batch_size,
            print_every=print_every,
            verbose=verbose,
            engine=engine,
            **options,
        )
