"""EC2 operations, as the sandbox answers them."""
