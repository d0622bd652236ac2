"""Answers written over aiohttp's request and response: recorded ones, and those that come."""
