"""The captioning model, under the course's path: see `limner.model`."""

from limner.model import CaptioningRNN

__all__ = ["CaptioningRNN"]
