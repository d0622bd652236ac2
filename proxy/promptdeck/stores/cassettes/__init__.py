"""Recordings as YAML files in git: read, written, verified, edited, merged."""
