"""Plain data and the classes that hold it: annotations taken apart, values dumped by a schema and loaded by an annotation.

It imports `files`.
"""
