"""Plain data and data classes: analyze annotations, dump values by a schema, and load values by an annotation.

It imports `files`.
"""
