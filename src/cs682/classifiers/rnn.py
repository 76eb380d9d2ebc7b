"""The captioning model, under the course's path: see `limner.models`."""

from limner.models import CaptioningRNN

__all__ = ["CaptioningRNN"]
