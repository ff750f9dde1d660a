"""Converters for a user's own classes: the base class, the registry, and checked calls. It imports no sibling."""
