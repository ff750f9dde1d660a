"""The tables of the generator: its kinds of method and of filter, a row each, and the code that they consist of."""
