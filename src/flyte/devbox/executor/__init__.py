"""Runs actions as processes of this machine: plans, jobs, limits, slots, reports.

It imports `store` and `data`.
"""
