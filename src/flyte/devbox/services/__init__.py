"""One module per service: the RPCs, in terms of the store and the executor."""
