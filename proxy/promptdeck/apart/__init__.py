"""Users' regular expressions run in a process of their own, which can be ended."""
