"""Conversion between Flyte types and Python annotations, classes and descriptions.

It imports `data` and `files`.
"""
