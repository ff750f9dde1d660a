"""Settings as YAML for editing. Only reading needs a library, which is optional."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from flyte.access.yaml_depth import check_depth
from flyte_api.messages.flyteidl2.settings.settings_definition import BoolSetting, Int64Setting, StringMapSetting
from flyte_rpc.arguments import text
from flyte_rpc.codec.message import Message
from flyte_rpc.typeguards import is_dict

from .values import UNSET, EffectiveSetting, SettingValue, leaves

_UNSET = "~unset"
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
# Words that YAML 1.1 does not read as text.
_WORDS = frozenset(("true", "false", "yes", "no", "on", "off", "y", "n", "null"))
_UNPRINTABLE = re.compile("[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")

_LOCAL = "Local overrides"
_INHERITED = "Inherited settings"
_AVAILABLE = "Available settings"
_NOTES = {
    _LOCAL: "",
    _INHERITED: " (remove the # to set them here too)",
    _AVAILABLE: " (remove the # and write a value to set them here)",
}
_EXAMPLES: dict[type[Message], str] = {Int64Setting: "0", BoolSetting: "false", StringMapSetting: "{}"}
_EMPTY = '""'


def to_yaml(scope: str, local: Mapping[str, SettingValue], inherited: Iterable[EffectiveSetting]) -> str:
    """Return the settings of a scope as YAML. See `Settings.to_yaml`."""
    lines = [
        f"### Settings of {scope}",
        "## What is left out is inherited from the scope above.",
        f"## The value {_UNSET} removes an inherited value.",
    ]
    for title, part in sections(local, inherited):
        lines += ["", f"### {title}{_NOTES[title]}", part]
    return "\n".join(lines) + "\n"


def sections(local: Mapping[str, SettingValue], inherited: Iterable[EffectiveSetting]) -> list[tuple[str, str]]:
    """Return the sections of the YAML. See `Settings.to_yaml_sections`."""
    by_key = {setting.key: setting for setting in inherited}
    made: dict[str, list[str]] = {_LOCAL: [], _INHERITED: [], _AVAILABLE: []}
    for key, leaf in leaves().items():
        above = by_key.get(key)
        if key in local:
            made[_LOCAL] += _setting(key, local[key])
            if above is not None:
                made[_LOCAL] += _replaced(above, local[key])
        elif above is not None:
            made[_INHERITED] += [f"## from {above.origin}", *(f"# {line}" for line in _setting(key, above.value))]
        else:
            made[_AVAILABLE].append(f"# {key}: {_EXAMPLES.get(leaf.message, _EMPTY)}")
    return [(title, "\n".join(lines)) for title, lines in made.items() if lines]


def _setting(key: str, value: SettingValue) -> list[str]:
    if isinstance(value, dict) and value:
        return [f"{key}:", *(f"  {_text(name)}: {_text(item)}" for name, item in value.items())]
    return [f"{key}: {_scalar(value)}"]


def _replaced(above: EffectiveSetting, value: SettingValue) -> list[str]:
    """Yield comments on the inherited value that a setting overrides or extends."""
    if isinstance(above.value, dict) and isinstance(value, dict):
        rest = [name for name in above.value if name not in value]
        return [f"  # {_text(name)}: {_text(above.value[name])}  ## also, from {above.entries[name]}" for name in rest]
    shown = _setting(above.key, above.value)
    return [f"## instead of what {above.origin} says:", *(f"## {line}" for line in shown)]


def _scalar(value: SettingValue) -> str:
    if value is UNSET:
        return _UNSET
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(value: str) -> str:
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    # JSON is valid YAML if it contains no characters that YAML treats as control characters or line breaks.
    return _UNPRINTABLE.sub(lambda found: f"\\U{ord(found[0]):08x}", json.dumps(value, ensure_ascii=False))


def parse(content: str) -> dict[str, Any]:
    """See `Settings.parse_yaml`."""
    import yaml

    try:
        check_depth(text("yaml_content", content))
        found: object = yaml.safe_load(content)
    except (yaml.YAMLError, ValueError) as cause:
        raise ValueError(f"the text is not valid YAML: {cause}") from None
    if found is None:
        return {}
    if not is_dict(found):
        raise ValueError(f"settings are a mapping of keys to values, not a {type(found).__name__}")
    return {key: UNSET if value == _UNSET else value for key, value in found.items()}
