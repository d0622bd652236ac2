"""Anthropic's Messages, to and from the neutral form."""
