"""Recordings in one SQLite file: the cache, and the index of cassettes."""
