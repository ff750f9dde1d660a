"""Inputs and outputs of actions."""
