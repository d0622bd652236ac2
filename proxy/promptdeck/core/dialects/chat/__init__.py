"""OpenAI's chat completions: what an answer says, whether it is whole, and its other forms."""
