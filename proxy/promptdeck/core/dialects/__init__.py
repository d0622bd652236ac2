"""The protocols of providers, a folder for each, and who the providers are."""
