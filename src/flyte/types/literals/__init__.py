"""Python values as Flyte literals, and literals as Python values.

It imports `interfaces`, `data` and `files`.
"""
