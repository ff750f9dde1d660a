"""Logging in: the OAuth flows, commands that print tokens, and where tokens are kept."""
