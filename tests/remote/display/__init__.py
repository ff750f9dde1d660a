"""What the client shows on a terminal."""
