"""From what people have to a dataset: a look at it, and then the work."""
