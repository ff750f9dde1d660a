"""Between Python values and Flyte literals, and between annotations and Flyte types.

Numbers, text, dates and times, lists, dicts, enums, tuples, unions, and classes of data: dataclasses, attrs classes,
pydantic models, named tuples and typed dicts. Files, directories and data frames are references (`File`, `Dir`,
`StructuredDataset`). Pickled objects stay a `Literal` unless the caller allows loading them.
"""

from ._annotations import interface_of, literal_type_of
from ._arguments import NativeValues, inputs_to_literals, literals_to_python, result_to_literals
from ._call import arguments_of
from ._decode import from_literal, unsupported_reason
from ._describe import describe
from ._encode import to_literal
from ._files import Dir, File, StructuredDataset
from ._guess import guess_interface, guess_type
from ._interface import NativeInterface, has_default

__all__ = [
    "Dir",
    "File",
    "NativeInterface",
    "NativeValues",
    "StructuredDataset",
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
