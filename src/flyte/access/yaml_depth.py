"""A limit of nesting for YAML, whose reader needs time by the square of it."""

from __future__ import annotations

_DEEPEST = 100


def check_depth(content: str | bytes) -> None:
    """Refuse text that is nested too deep.

    Raises:
        ValueError: It is nested more than 100 levels deep. What else is wrong with it is left to the reader.
    """
    import yaml

    starts = (
        yaml.FlowSequenceStartToken,
        yaml.FlowMappingStartToken,
        yaml.BlockSequenceStartToken,
        yaml.BlockMappingStartToken,
    )
    ends = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken, yaml.BlockEndToken)
    depth = 0
    try:
        for token in yaml.scan(content, Loader=yaml.SafeLoader):
            if isinstance(token, starts):
                depth += 1
            elif isinstance(token, ends):
                depth -= 1
            if depth > _DEEPEST:
                raise ValueError(f"it is nested more than {_DEEPEST} levels deep")
    except (yaml.YAMLError, UnicodeDecodeError):
        return
