"""Render, format, verify and write the output folder. Imports `configuration` and earlier folders."""
