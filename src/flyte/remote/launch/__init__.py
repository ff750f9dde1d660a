"""Starting runs: run context, upload of inputs, rerun."""
