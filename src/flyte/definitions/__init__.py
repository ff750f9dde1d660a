"""Values that users define: triggers, resources, retries, caches, secrets. Imports only the runtime's argument checks."""
