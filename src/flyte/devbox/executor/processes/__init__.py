"""The processes of attempts: starting and forking them, the worker inside, orphans of an earlier devbox.

It imports nothing of the devbox but keys. The worker is started for each task, so this file imports nothing.
"""
