"""Manifests: a YAML file that says which images belong where, read into orders.

Refuses to ask AWS: a manifest is right or wrong by itself.
"""
