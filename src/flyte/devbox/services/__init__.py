"""One module per service: its RPCs, in terms of runs, the executor and the store.

It imports every other folder; the control plane alone imports it.
"""
