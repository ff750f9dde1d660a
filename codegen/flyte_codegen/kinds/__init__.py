"""The tables of the generator: its kinds of method and of filter, with a row for each, and the expressions of generated code."""
