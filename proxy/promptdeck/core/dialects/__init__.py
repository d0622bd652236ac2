"""What each provider's protocol says. One folder a protocol."""
