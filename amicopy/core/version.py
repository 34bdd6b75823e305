"""The version of amicopy, read by the build, the command line and the user agent."""

__version__ = "0.1.0"
