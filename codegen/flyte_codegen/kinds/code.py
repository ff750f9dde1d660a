"""Generated expressions as trees. What a module must import follows from the names in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from flyte_codegen.text import literal as as_literal


class Code:
    """An expression or an annotation; its text is the code."""

    def parts(self) -> Iterable[Code]:
        """Return the expressions that this one is made of."""
        return ()


@attrs.frozen(repr=False)
class Name(Code):
    """A name, and the statement that imports it, if any. `typing` marks names that only annotations use."""

    text: str
    line: str = ""
    typing: bool = False

    def __str__(self) -> str:
        return self.text


@attrs.frozen(repr=False)
class Literal(Code):
    """A constant."""

    value: object

    def __str__(self) -> str:
        return as_literal(self.value)


@attrs.frozen(repr=False)
class Attribute(Code):
    """An attribute of an expression."""

    of: Code
    name: str

    def parts(self) -> Iterable[Code]:
        """Return the expression whose attribute it is."""
        return (self.of,)

    def __str__(self) -> str:
        return f"{self.of}.{self.name}"


@attrs.frozen(repr=False)
class Call(Code):
    """A call. A starred argument is `Star`."""

    function: Code
    arguments: tuple[Code, ...] = ()
    keywords: tuple[tuple[str, Code], ...] = ()

    def parts(self) -> Iterable[Code]:
        """Return the function and all arguments."""
        return (self.function, *self.arguments, *(value for _, value in self.keywords))

    def __str__(self) -> str:
        given = [*map(str, self.arguments), *(f"{name}={value}" for name, value in self.keywords)]
        return f"{self.function}({', '.join(given)})"


@attrs.frozen(repr=False)
class Star(Code):
    """An iterable spread into the arguments of a call."""

    of: Code

    def parts(self) -> Iterable[Code]:
        """Return the iterable."""
        return (self.of,)

    def __str__(self) -> str:
        return f"*{self.of}"


@attrs.frozen(repr=False)
class Listed(Code):
    """A list with one item."""

    item: Code

    def parts(self) -> Iterable[Code]:
        """Return the item."""
        return (self.item,)

    def __str__(self) -> str:
        return f"[{self.item}]"


@attrs.frozen(repr=False)
class Sum(Code):
    """Several expressions, added."""

    of: tuple[Code, ...]

    def parts(self) -> Iterable[Code]:
        """Return the expressions."""
        return self.of

    def __str__(self) -> str:
        return " + ".join(map(str, self.of))


@attrs.frozen(repr=False)
class UnlessNone(Code):
    """An expression, or another one (by default None) where `tested` is None."""

    tested: Code
    value: Code
    otherwise: Code = Literal(None)

    def parts(self) -> Iterable[Code]:
        """Return the three expressions."""
        return (self.tested, self.value, self.otherwise)

    def __str__(self) -> str:
        return f"{self.otherwise} if {self.tested} is None else {self.value}"


@attrs.frozen(repr=False)
class Or(Code):
    """An expression, or another one where it is false."""

    value: Code
    otherwise: Code

    def parts(self) -> Iterable[Code]:
        """Return both."""
        return (self.value, self.otherwise)

    def __str__(self) -> str:
        return f"{self.value} or {self.otherwise}"


@attrs.frozen(repr=False)
class Of(Code):
    """A generic type with its arguments."""

    generic: Code
    arguments: tuple[Code, ...]

    def parts(self) -> Iterable[Code]:
        """Return the type and its arguments."""
        return (self.generic, *self.arguments)

    def __str__(self) -> str:
        return f"{self.generic}[{', '.join(map(str, self.arguments))}]"


@attrs.frozen(repr=False)
class Union(Code):
    """A union of types."""

    members: tuple[Code, ...]

    def parts(self) -> Iterable[Code]:
        """Return its members."""
        return self.members

    def __str__(self) -> str:
        return " | ".join(map(str, self.members))


def optional(annotation: Code) -> Union:
    """Return the annotation of something that may be None."""
    members = annotation.members if isinstance(annotation, Union) else (annotation,)
    return Union((*members, Name("None")))


def call(function: str | Code, *arguments: Code, **keywords: Code) -> Call:
    """Return a call of a function, given by its name or as an expression."""
    return Call(Name(function) if isinstance(function, str) else function, arguments, tuple(keywords.items()))


def names(trees: Iterable[Code]) -> Iterator[Name]:
    """Yield all names in some expressions."""
    for tree in trees:
        if isinstance(tree, Name):
            yield tree
        yield from names(tree.parts())
