"""Starting runs: run context, upload of inputs, rerun. Imports `runs` and `tasks`."""
