"""HTML pages about a training, findings or a dataset.

Each is one file that needs nothing else: images are inside it, and it opens without a network.
"""
