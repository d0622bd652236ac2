"""Tests, in folders of the names of what they test; what they share is at the top."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
"""The project's folder."""
