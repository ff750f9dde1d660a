"""Processes of attempts: starting, forking, the worker inside, and orphans of an earlier devbox."""
