"""Prints whether the service models accept values. It reads [[member, value]] from standard input.

Patterns match the complete text, as in the services.
"""

import json
import sys
from pathlib import Path

import regex

members = json.loads((Path(__file__).parent / "data/service-models.json").read_text(encoding="utf-8"))["members"]


def accepts(member, value):
    limits = members[member]
    size = value if limits["type"] in ("integer", "long", "float", "double") else len(value)
    if not limits.get("min", size) <= size <= limits.get("max", size):
        return False
    if "enum" in limits:
        return value in limits["enum"]
    return "pattern" not in limits or bool(regex.fullmatch(limits["pattern"], value))


json.dump([accepts(*pair) for pair in json.load(sys.stdin)], sys.stdout)
