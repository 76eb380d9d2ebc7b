"""What `limner download` does."""
