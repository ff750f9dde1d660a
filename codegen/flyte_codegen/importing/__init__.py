"""The ``import`` command: extract protobuf definitions from a published wheel as readable ``.proto`` text.

A wheel of compiled protobuf modules holds the exact descriptors its authors released, but neither comments nor source
text. This package turns them back into ``.proto`` files: names, numbers, types and the options a client generator needs.
Comments added to those files by hand survive the next import.
"""

from .command import Outcome, import_definitions, main, run
from .problem import ImportProblem

__all__ = ["ImportProblem", "Outcome", "import_definitions", "main", "run"]
