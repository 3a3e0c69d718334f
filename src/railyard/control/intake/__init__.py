"""Where a request meets what is known: rights, workflow, compute class, code. Composes `code` and `jobs`."""
