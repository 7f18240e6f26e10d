"""A module a runtime: `load(path, scratch, options)` gives a function from inputs by name to outputs by name."""
