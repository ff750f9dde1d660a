"""Which RPC becomes which method: classification, parameters, requests, results."""
