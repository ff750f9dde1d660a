"""Between Python values and Flyte literals, and between annotations and Flyte types.

Simple values only: numbers, text, booleans, None, dates and times, bytes, lists, dicts, enums and unions of them. What is
stored elsewhere (files, directories, data frames) or pickled is never loaded: it stays a `Literal`.
"""

from ._annotations import interface_of, literal_type_of
from ._arguments import NativeValues, inputs_to_literals, literals_to_python, result_to_literals
from ._call import arguments_of
from ._decode import from_literal, unsupported_reason
from ._describe import describe
from ._encode import to_literal
from ._guess import guess_interface, guess_type
from ._interface import NativeInterface, has_default

__all__ = [
    "NativeInterface",
    "NativeValues",
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
