"""Scores of captions against references, in Python alone."""

from limner.metrics.bleu import corpus_bleu
from limner.metrics.tokenizer import tokenize

__all__ = ["corpus_bleu", "tokenize"]
