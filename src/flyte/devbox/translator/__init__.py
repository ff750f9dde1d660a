"""TranslatorService: literals as JSON values, and types as JSON schemas of launch forms."""

from __future__ import annotations
