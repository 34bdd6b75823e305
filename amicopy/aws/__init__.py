"""The only door to AWS: models out, our own errors only."""
