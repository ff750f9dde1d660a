"""How a program gets to a control plane: configuration files, environment variables and log-in."""
