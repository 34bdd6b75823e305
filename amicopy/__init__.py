"""Copy Amazon EC2 machine images to other regions, faithfully and exactly once."""

__version__ = "0.1.0"
