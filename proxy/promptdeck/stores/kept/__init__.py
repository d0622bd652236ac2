"""What is kept for clients beside recordings: stored completions and deferred ones."""
