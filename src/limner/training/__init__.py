"""Training: the settings, the loop, its phases, and a run's folder."""
