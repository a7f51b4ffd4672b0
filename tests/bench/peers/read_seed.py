"""Reads a seed as a script would: lines, users, each counted once."""

import json
import sys

lines, users = 0, set()
with open(sys.argv[1]) as seed:
    for line in seed:
        users.add(json.loads(line)["user_id"])
        lines += 1
print(lines, len(users))
