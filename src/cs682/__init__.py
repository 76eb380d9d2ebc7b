"""The course's import paths. Names alone: everything is in `limner`."""
