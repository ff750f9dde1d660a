"""Fake services, one module for each: they keep what they are asked, and answer what a test wants."""
