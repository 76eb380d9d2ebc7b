"""Names that signatures share: shapes are written `Float[Array, "N T D"]`.

N pictures in a batch, T time steps, D input, H hidden, W word vector, V vocabulary, M outputs.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

Array = np.ndarray

__all__ = ["Array", "Bool", "Float", "Int"]
