"""New datasets from existing ones: merge, subset, export."""
