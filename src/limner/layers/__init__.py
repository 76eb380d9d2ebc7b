"""Layers as pairs of functions: `*_forward` computes the output, `*_backward` the gradients."""

from limner.layers.affine import (
    affine_backward,
    affine_forward,
    temporal_affine_backward,
    temporal_affine_forward,
)
from limner.layers.attention import attention_backward, attention_forward
from limner.layers.embedding import word_embedding_backward, word_embedding_forward
from limner.layers.gru import gru_backward, gru_forward, gru_step_backward, gru_step_forward
from limner.layers.loss import SoftTargets, temporal_softmax_loss
from limner.layers.lstm import lstm_backward, lstm_forward, lstm_step_backward, lstm_step_forward
from limner.layers.rnn import rnn_backward, rnn_forward, rnn_step_backward, rnn_step_forward
from limner.layers.sigmoid import sigmoid

__all__ = [
    "SoftTargets",
    "affine_backward",
    "affine_forward",
    "attention_backward",
    "attention_forward",
    "gru_backward",
    "gru_forward",
    "gru_step_backward",
    "gru_step_forward",
    "lstm_backward",
    "lstm_forward",
    "lstm_step_backward",
    "lstm_step_forward",
    "rnn_backward",
    "rnn_forward",
    "rnn_step_backward",
    "rnn_step_forward",
    "sigmoid",
    "temporal_affine_backward",
    "temporal_affine_forward",
    "temporal_softmax_loss",
    "word_embedding_backward",
    "word_embedding_forward",
]
