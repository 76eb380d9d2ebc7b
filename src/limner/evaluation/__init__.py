"""Captions that are scored: with baselines, intervals, and explanations."""
