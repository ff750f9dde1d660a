"""Code that runs and actions share: state, details, waiting, logs, inputs and outputs, links.

Imports `remote._common`; it does not import `_run` or `_action`, which build on it.
"""
