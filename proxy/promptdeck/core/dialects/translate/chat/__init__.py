"""Chat completions, read and written in the neutral form."""
