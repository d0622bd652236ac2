"""The recordings behind one base_url, and how far they have been played."""
