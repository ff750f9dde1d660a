"""Apps: their state, logs, and waiting for them."""
