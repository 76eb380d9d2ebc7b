"""Prepare a dataset: scan of the source, then feature extraction."""
