"""Validates workflows against the JSON schema of the Amazon States Language, and prints what is wrong.

It reads {name: definition} from standard input.
"""

import json
import sys
from pathlib import Path

from jsonschema import Draft202012Validator

schema = json.loads((Path(__file__).parent / "data/asl-schema.json").read_text(encoding="utf-8"))
validator = Draft202012Validator(schema)
problems = []
for name, definition in json.load(sys.stdin).items():
    for error in validator.iter_errors(definition):
        problems.append(f"{name}: {error.json_path}: {error.message}"[:500])
json.dump(problems, sys.stdout)
