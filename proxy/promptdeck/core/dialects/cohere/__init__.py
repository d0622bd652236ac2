"""Cohere's own protocol."""
