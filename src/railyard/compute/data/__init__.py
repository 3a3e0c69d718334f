"""Rows for a training: sources, filters, projection, holdout. Nothing here computes at import, so that a warm interpreter may hold it."""
