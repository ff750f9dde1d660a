"""Domains."""

from __future__ import annotations

from flyte_api.entities.domain import DomainBase


class Domain(DomainBase):
    """A domain: a stage such as development or production, which every project of an organization has."""

    _REPR = ("id", "name")
