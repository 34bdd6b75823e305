"""What the commands do, for whoever calls it: the command line and programs alike.

Refuses to know options, terminals and formats.
"""
