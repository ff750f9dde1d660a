"""Settings of organizations, domains and projects, and their YAML form."""
