"""JSON, YAML and event streams as text: read without loss, and written for people."""
