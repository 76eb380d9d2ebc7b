"""Update rules, under the course's path: see `limner.optim`."""

from limner.optim import adam, rmsprop, sgd, sgd_momentum

__all__ = ["adam", "rmsprop", "sgd", "sgd_momentum"]
