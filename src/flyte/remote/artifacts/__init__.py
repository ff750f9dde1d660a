"""Artifacts, groups of versions, partitions, and publishing. Imports `remote._common` and `types`, no other folder of `remote`."""
