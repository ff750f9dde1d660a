"""Plain data and the classes that hold it."""
