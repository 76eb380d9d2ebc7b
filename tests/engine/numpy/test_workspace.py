import numpy as np

from limner.engine.numpy.workspace import Workspace


def test_one_name_is_one_memory():
    workspace = Workspace(np.float32)
    large = workspace("h", 4, 6)
    assert (large.dtype, large.shape) == (np.float32, (4, 6))
    assert np.shares_memory(large, workspace("h", 3, 2))
    assert not np.shares_memory(large, workspace("c", 4, 6))
    assert workspace("h", 5, 6).flags.c_contiguous
