"""Read and check `codegen.toml` and `rules.toml`, and compute the fingerprint of all inputs. Imports `definitions`."""
