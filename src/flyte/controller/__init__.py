"""Calling tasks from within a task: children are submitted to the control plane and followed until they end."""

from .controller import Controller, submit
from .fan_out import map

__all__ = ["Controller", "map", "submit"]
