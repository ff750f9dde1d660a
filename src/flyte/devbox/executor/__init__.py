"""Runs actions as processes of this machine: plans, jobs, limits, reports."""
