"""Apps: their state, logs, and waiting for them. Imports `remote._common` and the runtime, no other folder of `remote`."""
