"""The plain pages: jobs, and one job. Deleting this folder and its one line in `api/app.py` removes them."""
