"""Fake services, one module each. They record requests, and answer as a test requires."""
