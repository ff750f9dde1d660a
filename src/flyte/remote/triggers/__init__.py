"""Deployed triggers: details, deploying, and their messages. Imports `launch`, `tasks` and `_task`."""
