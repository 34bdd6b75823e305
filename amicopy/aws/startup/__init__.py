"""Why amicopy starts fast: fewer handlers, a smaller EC2 model, a shared TLS context."""
