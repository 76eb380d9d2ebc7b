"""Which fast decoder a model has."""

from typing import Any

from limner.decoding import Decoder
from limner.engine.numpy.attention_decoder import AttentionDecoder
from limner.engine.numpy.recurrent_decoder import RecurrentDecoder
from limner.models import AttentionRNN, CaptioningRNN, Ensemble, EnsembleDecoder, WordModel

DECODERS: dict[type[WordModel], Any] = {
    CaptioningRNN: RecurrentDecoder,
    AttentionRNN: AttentionDecoder,
}
"""By exactly that class: a subclass may compute something else."""


def fast_decoder(model: WordModel) -> Decoder:
    """A decoder with the model's present parameters: a fast one, or the model itself.

    Args:
        model: its parameters must not change while the decoder is in use.

    >>> import numpy as np
    >>> words = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3}
    >>> model = CaptioningRNN(words, 8, rng=np.random.default_rng(0))
    >>> decoder = fast_decoder(model)
    >>> scores, _ = decoder.step(np.array([1]), decoder.start(np.ones((1, 8))))
    >>> bool(np.allclose(scores, model.step(np.array([1]), model.start(np.ones((1, 8))))[0]))
    True
    """
    if type(model) is Ensemble:
        return EnsembleDecoder([fast_decoder(member) for member in model.members])
    decoder = DECODERS.get(type(model))
    made: Decoder = decoder(model) if decoder and decoder.supports(model) else model
    return made
