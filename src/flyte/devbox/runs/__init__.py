"""Runs inside the devbox: creation, recording, attempts, and the messages that clients get.

It imports `executor`, `store` and `data`; `services` builds on it.
"""
