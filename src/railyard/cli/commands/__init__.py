"""One file per command (or per small group); imported only when it runs."""
