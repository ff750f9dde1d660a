"""Data frames and arrays: references to stored ones, and files of those in memory. It imports `files`.

pandas, polars, pyarrow and NumPy are imported when a value of theirs is written or read.
"""
