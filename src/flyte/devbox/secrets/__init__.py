"""Secrets: encrypted values, the service that stores them, and their delivery to tasks."""

from __future__ import annotations
