"""Training: settings, objectives, the training loop, and the folder of a run."""
