"""Calls of tasks from within a task: submits child actions to the control plane, and watches them until they end.

It imports the runtime and the values, and nothing of `flyte.remote`.
"""
