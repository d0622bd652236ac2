"""Why a provider's prompt cache missed: what a request kept of an earlier one, and where it broke.

Providers reuse the beginning of a prompt that is, block by block, what they read before. From
recordings alone it can be told how much that could have been, and what ended it.
"""
