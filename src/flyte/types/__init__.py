"""Conversion between Python values and Flyte literals, and between annotations and Flyte types.

Supported are numbers, text, dates and times, lists, dicts, enums, tuples, unions, and data classes: dataclasses, attrs
classes, pydantic models, named tuples and typed dicts. Files, directories and data frames are references (`File`, `Dir`,
`DataFrame`). Pickled objects stay a `Literal` unless the caller allows loading them.
"""

from .converters.transformer import TypeTransformer, TypeTransformerFailedError
from .engine import TypeEngine
from .files.references import Dir, File
from .frames.reference import DataFrame
from .functions.arguments import arguments_of
from .functions.interface import interface_of
from .interfaces.annotations import literal_type_of
from .interfaces.describe import describe
from .interfaces.guess import guess_interface, guess_type
from .interfaces.native import NativeInterface, has_default
from .literals.arguments import NativeValues, inputs_to_literals, literals_to_python, result_to_literals
from .literals.decode import from_literal, unsupported_reason
from .literals.encode import to_literal

StructuredDataset = DataFrame
"""The former name of `DataFrame`."""

__all__ = [
    "DataFrame",
    "Dir",
    "File",
    "NativeInterface",
    "NativeValues",
    "StructuredDataset",
    "TypeEngine",
    "TypeTransformer",
    "TypeTransformerFailedError",
    "arguments_of",
    "describe",
    "from_literal",
    "guess_interface",
    "guess_type",
    "has_default",
    "inputs_to_literals",
    "interface_of",
    "literal_type_of",
    "literals_to_python",
    "result_to_literals",
    "to_literal",
    "unsupported_reason",
]
