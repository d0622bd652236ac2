"""What each provider's protocol says: a folder for each, and who the providers are."""
