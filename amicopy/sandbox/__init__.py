"""A local EC2 to rehearse against: moto, plus what its AMIs and snapshots lack.

Refuses to load moto or a web server on import: `amicopy.sandbox.http.server` does that.
"""
