"""The generator: protobuf definitions, a codegen.toml and Jinja templates in, a typed Python client out.

The stages: `definitions`, `configuration`, `python`, `binding`, `output`. Each folder imports only earlier ones.
"""

__version__ = "1"
