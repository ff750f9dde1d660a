"""The commands of `flyte-codegen`. Imports every other folder."""
