"""The chat completions API, defined once: requests are checked by it, its document made of it."""
