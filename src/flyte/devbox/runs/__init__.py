"""Runs inside the devbox: creation, recording, attempts, and the messages that clients get."""
