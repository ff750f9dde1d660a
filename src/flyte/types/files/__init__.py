"""References to files, directories and data frames, and their upload."""
