"""Artifacts, groups of versions, partitions, and publishing."""
