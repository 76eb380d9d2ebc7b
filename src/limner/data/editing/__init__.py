"""Datasets made of datasets: merged, cut, exported."""
