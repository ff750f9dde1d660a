"""Calls of tasks from within a task: children are submitted to the control plane and followed until they end.

It imports the runtime and the values, and nothing of `flyte.remote`.
"""
