"""A task function with a class of its own, whose module registers the converter."""

from flyte.types import TypeEngine, TypeTransformer, from_literal, literal_type_of, to_literal
from flyte_api.messages.flyteidl2.core.literals import Literal
from flyte_api.messages.flyteidl2.core.types import LiteralType


class Distance:
    """A distance in meters."""

    def __init__(self, meters: float) -> None:
        self.meters = meters


class DistanceConverter(TypeTransformer[Distance]):
    """Stores the meters."""

    def __init__(self) -> None:
        super().__init__("Distance", Distance)

    def get_literal_type(self, t: type[Distance]) -> LiteralType:
        return literal_type_of(float)

    async def to_literal(self, python_val: Distance, python_type: type[Distance], expected: LiteralType) -> Literal:
        return to_literal(python_val.meters, expected, name="meters")

    async def to_python_value(self, lv: Literal, expected_python_type: type[Distance]) -> Distance:
        return Distance(from_literal(lv))


TypeEngine.register(DistanceConverter())


def total(parts: list[Distance], start: Distance = Distance(0.5)) -> tuple[Distance, dict[str, Distance]]:  # noqa: B008
    """Add distances."""
    return Distance(start.meters + sum(part.meters for part in parts)), {"start": start}
