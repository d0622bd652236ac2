"""When two requests are the same: what does not count, the canonical form, its fingerprint."""
