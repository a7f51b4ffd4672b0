"""Prints whether the service models accept values. It reads [[member, value]] from standard input.

Patterns match the complete text and have Java's meaning, because the services use Java: \\w, \\d and \\s are ASCII, and
a dot does not match the end of a line.
"""

import json
import sys
from pathlib import Path

import regex

members = json.loads((Path(__file__).parent / "data/service-models.json").read_text(encoding="utf-8"))["members"]


CLASSES = {r"\w": "a-zA-Z0-9_", r"\d": "0-9", r"\s": r" \t\n\v\f\r"}


def as_java(pattern):
    """Returns the pattern with Java's meaning of a dot and of the predefined classes."""

    def token_as_java(token):
        if token == ".":
            return r"[^\n\r\u0085\u2028\u2029]"
        if token.startswith("["):
            return regex.sub(r"\\[wds]", lambda found: CLASSES[found[0]], token)
        return f"[{CLASSES[token]}]" if token in CLASSES else token

    tokens = regex.findall(r"\\.|\[(?:\\.|[^\]\\])*\]|.", pattern)
    return "".join(map(token_as_java, tokens))


def accepts(member, value):
    limits = members[member]
    size = value if limits["type"] in ("integer", "long", "float", "double") else len(value)
    if not limits.get("min", size) <= size <= limits.get("max", size):
        return False
    if "enum" in limits:
        return value in limits["enum"]
    return "pattern" not in limits or bool(regex.fullmatch(as_java(limits["pattern"]), value))


json.dump([accepts(*pair) for pair in json.load(sys.stdin)], sys.stdout)
