"""Services about the control plane itself: settings and how to log in."""

from __future__ import annotations
