"""What runs and actions have in common: details, waiting, logs, inputs and outputs, links."""
