"""Evaluation: scores with baselines and confidence intervals; explanations of captions."""
