"""Rendering, formatting, verification and writing of the output folder."""
