"""What the logs of runs, actions and apps share."""
