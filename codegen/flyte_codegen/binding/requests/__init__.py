"""The requests of methods: their parameters, filters and sort order, and what the client fills in."""
