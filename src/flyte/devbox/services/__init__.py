"""One module per service: its RPCs, in terms of runs, the executor and the store.

It may import every other folder; only the control plane imports it.
"""
