"""Calling tasks from within a task: children are submitted to the control plane and followed until they end."""

from ._controller import Controller, submit
from ._map import map

__all__ = ["Controller", "map", "submit"]
