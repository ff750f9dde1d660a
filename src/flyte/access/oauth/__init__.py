"""The settings of a log-in, and what follows from them."""
