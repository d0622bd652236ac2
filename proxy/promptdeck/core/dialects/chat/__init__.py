"""OpenAI's chat completions: streams and messages turned into each other, and what is whole."""
