"""The affine layer, under the course's path: see `limner.layers`."""

from limner.layers import affine_backward, affine_forward

__all__ = ["affine_backward", "affine_forward"]
