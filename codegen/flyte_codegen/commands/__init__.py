"""The commands of `flyte-codegen`."""
