"""A local EC2 to try amicopy on: moto, with its AMIs and snapshots replaced by a simulation of our own.

Importing it loads neither moto nor a web server; `amicopy.sandbox.http.server` does.
"""
