"""The generator: protobuf definitions, a codegen.toml and Jinja templates in, a typed Python client out."""

__version__ = "1"
