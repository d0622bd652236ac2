"""Answers that go wrong on purpose: planned, dealt, and how the client took them."""
