"""The processes of attempts: starting, forking, the worker, and orphans of an earlier devbox.

Modules here import only keys from the devbox. This file imports nothing, because every worker loads it.
"""
