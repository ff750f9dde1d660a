"""Domains."""

from __future__ import annotations

from flyte_api.entities.domain import DomainBase


class Domain(DomainBase):
    """A domain: a stage such as development or production. All projects of an organization have the same domains."""

    _REPR = ("id", "name")
