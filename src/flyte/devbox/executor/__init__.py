"""Runs actions as processes on this machine: plans, jobs, limits, slots, reports.

It imports `store` and `data`.
"""
