"""Settings of organizations, domains and projects, and their YAML form. Imports no other folder of `remote`."""
