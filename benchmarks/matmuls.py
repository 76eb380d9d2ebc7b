"""The matrix products that no training step can do without, at their exact shapes, and no more.

Padding is skipped, and the input product is of the distinct words alone. Every product stands in
its natural layout, `h W`, `da W^T`, `h^T da`, and writes into an array that is there already.

Shapes: N captions, P packed rows, U distinct words, D features, W word vector, H hidden,
V vocabulary; mH = H (rnn) or 4 H (lstm).
"""

import numpy as np

from limner.engine.numpy.packing import pack
from limner.models import Batch, CaptioningRNN


class Products:
    """`step` has the products of one training step of a model on a batch like `captions`.

    Their inputs are random and stay as they are, so that no number overflows or gets denormal.
    """

    def __init__(self, model: CaptioningRNN, captions: np.ndarray) -> None:
        rng = np.random.default_rng(0)

        def some(*shape: int) -> np.ndarray:
            return rng.standard_normal(shape).astype(model.dtype)

        p = model.params
        self.W_proj, self.Wx, self.Wh, self.W_vocab = (
            some(*p[name].shape) for name in ("W_proj", "Wx", "Wh", "W_vocab")
        )
        packed = pack(Batch(np.zeros((len(captions), 0)), captions), model.null, len(p["W_embed"]))
        (H, mH), (W, _), (_, V) = self.Wh.shape, self.Wx.shape, self.W_vocab.shape
        self.steps = packed.steps
        P, N, U = len(packed.targets), len(packed.order), len(packed.tokens)
        self.x, self.h, self.dh0 = some(U, W), some(P, H), some(N, H)
        self.da, self.dinputs, self.dlogits = some(P, mH), some(U, mH), some(P, V)
        self.out = {
            name: np.empty(shape, model.dtype)
            for name, shape in {
                "h0": (N, H),
                "inputs": (U, mH),
                "a": (P, mH),
                "logits": (P, V),
                "dh": (P, H),
                "dW_vocab": (H, V),
                "dprev_h": (P, H),
                "dWh": (H, mH),
                "dx": (U, W),
                "dWx": (W, mH),
                "dW_proj": p["W_proj"].shape,
            }.items()
        }

    def step(self, features: np.ndarray, captions: np.ndarray) -> None:
        out = self.out
        np.matmul(features, self.W_proj, out=out["h0"])
        np.matmul(self.x, self.Wx, out=out["inputs"])
        for rows in self.steps:
            np.matmul(self.h[rows], self.Wh, out=out["a"][rows])
        np.matmul(self.h, self.W_vocab, out=out["logits"])

        np.matmul(self.dlogits, self.W_vocab.T, out=out["dh"])
        np.matmul(self.h.T, self.dlogits, out=out["dW_vocab"])
        for rows in reversed(self.steps):
            np.matmul(self.da[rows], self.Wh.T, out=out["dprev_h"][rows])
        np.matmul(self.h.T, self.da, out=out["dWh"])
        np.matmul(self.dinputs, self.Wx.T, out=out["dx"])
        np.matmul(self.x.T, self.dinputs, out=out["dWx"])
        np.matmul(features.T, self.dh0, out=out["dW_proj"])
