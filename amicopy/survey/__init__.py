"""Every read that a plan needs."""
