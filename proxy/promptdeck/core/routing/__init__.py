"""Which upstream gets a model: by its name, by what the user has set, by what it is good at."""
