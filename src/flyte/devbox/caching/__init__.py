"""Cached outputs of actions, and reservations of actions that are computing some."""

from __future__ import annotations
