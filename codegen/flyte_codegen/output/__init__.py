"""Rendering, formatting, verification and writing of the output folder. Imports `configuration` and what is before it."""
