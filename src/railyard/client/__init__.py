"""The typed HTTP client, sync. The CLI, the SDK and the runner speak to the server through it and nothing else."""
