"""One file per resource, each operation one call into a room."""
