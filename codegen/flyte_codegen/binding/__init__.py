"""Which RPC becomes which method: classification, parameters, requests, results. Imports `python` and what is before it."""
