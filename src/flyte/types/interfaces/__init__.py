"""Flyte types as Python annotations, classes and words, and annotations as Flyte types.

It imports `data` and `files`.
"""
