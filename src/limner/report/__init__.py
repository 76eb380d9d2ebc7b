"""HTML reports of a run, of `limner check` and of a dataset.

Each is one self-contained file: images are embedded, and no network is needed.
"""
