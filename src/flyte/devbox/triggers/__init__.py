"""Triggers: their deployment, their messages, and the scheduler that starts runs at scheduled times.

It imports runs, and is imported by services.
"""
