"""Flyte types as annotations, classes and schemas."""
