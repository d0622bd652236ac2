"""Upstream responses under way: shared while they come, recorded when they have landed."""
