"""Pictures: opened, checked, fetched, altered."""
