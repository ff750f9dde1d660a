"""Map RPCs to methods: classification, parameters, requests, results. Imports `python` and earlier folders."""
