"""The shapes of RPCs: the kind of method, its result, and the pages of a list."""
