"""Manifests: a YAML file that lists images and where they should be copied, checked without AWS."""
