"""Types of signatures; shapes are written `Float[Array, "N T D"]`.

N images in a batch, T time steps, D input, H hidden, W word vector, V vocabulary, M outputs.
"""

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

Array = np.ndarray

if (
    TYPE_CHECKING or "jaxtyping" in sys.modules
):  # imported before limner to check shapes, as in tests
    from jaxtyping import Bool, Float, Int, UInt8
else:  # jaxtyping takes as long to import as NumPy

    class Float:
        """The shape and dtype of an array, without a check."""

        def __class_getitem__(cls, item: tuple[Any, str]) -> Any:
            return item[0]

    Bool = Int = UInt8 = Float

__all__ = ["Array", "Bool", "Float", "Int", "UInt8"]
