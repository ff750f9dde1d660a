"""Reports and code bundles of actions."""
