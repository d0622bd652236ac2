"""What secrets look like, and how they are taken out of everything that is kept."""
