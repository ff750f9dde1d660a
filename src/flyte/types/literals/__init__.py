"""Conversion between Python values and Flyte literals.

It imports `interfaces`, `data` and `files`.
"""
