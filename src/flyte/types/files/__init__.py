"""Files, directories and data frames: references to stored data, and their upload and download.

It imports the runtime and nothing else of `flyte.types`.
"""
