"""Where recordings are kept. `base` says what a store is; each driver stands in one module."""
