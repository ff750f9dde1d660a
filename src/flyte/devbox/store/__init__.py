"""The database of the devbox, in SQLite. All SQL is here.

It imports keys, phases and the bus, and no other folder.
"""
