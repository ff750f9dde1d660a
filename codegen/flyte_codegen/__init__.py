"""The generator: protobuf definitions, a codegen.toml and Jinja templates in, a typed Python client out.

The order of work: `definitions`, `configuration`, `python`, `binding`, `output`. Each folder imports only those before it.
"""

__version__ = "1"
