"""Deployed triggers: details, deploying, and their messages."""
