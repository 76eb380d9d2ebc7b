"""Scores of captions against references, equal to those of COCO's evaluation, in Python."""

from limner.metrics.bootstrap import Difference, compare, intervals
from limner.metrics.cider import DocumentFrequency
from limner.metrics.diversity import Diversity, measure_diversity
from limner.metrics.java import JavaScore, java_scores
from limner.metrics.reward import CaptionReward
from limner.metrics.scores import Scores, score
from limner.metrics.tokenizer import tokenize

__all__ = [
    "CaptionReward",
    "Difference",
    "Diversity",
    "DocumentFrequency",
    "JavaScore",
    "Scores",
    "compare",
    "intervals",
    "java_scores",
    "measure_diversity",
    "score",
    "tokenize",
]
