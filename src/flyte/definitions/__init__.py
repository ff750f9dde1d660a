"""What users declare: triggers, resources, retries, caches, secrets. Values only: it imports the runtime's argument checks and nothing that calls a server."""
