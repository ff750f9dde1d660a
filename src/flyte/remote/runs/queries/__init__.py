"""Questions about a run that take more than one call."""
