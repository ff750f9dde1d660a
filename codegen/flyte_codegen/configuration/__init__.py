"""`codegen.toml` and the side tables: reading, checking, fingerprint. Imports `definitions`."""
