"""The options of each command. Imports no botocore."""
