"""Images: opened, checked, fetched, altered."""
