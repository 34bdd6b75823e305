"""The EC2 operations that the sandbox simulates."""
