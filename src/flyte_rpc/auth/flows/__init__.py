"""The ways to log in. They are blocking code, which a session runs in a thread."""
