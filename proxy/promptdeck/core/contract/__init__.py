"""The chat completions API, defined once: it judges requests and makes the OpenAPI document."""
