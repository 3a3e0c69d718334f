"""The vocabulary: frozen types of requests, records, results and the runner's protocol. Imports nothing of ours."""
