"""MiniStack as if a proxy in front of it ended TLS: it holds the seed bucket's policy, which refuses plain HTTP.

Its policy simulation is told what is known of a request (ContextEntries), which it has no ear for: without, no condition
such as iam:PassedToService could ever be met.

Hundreds of runs share its one interpreter. So an expression of a workflow may take a minute by the clock instead of a
second, most of which is waiting; and whoever waits asks for the interpreter twenty times a second, not two hundred, or
else asking is all that is done.
"""

import contextvars
import sys

import jsonata
from ministack import app
from ministack.core import iam_evaluator
from ministack.services import iam

serve = app.app
extract, resolve = iam._extract_simulate_params, iam_evaluator._resolve_condition_key
parse = jsonata.Jsonata.jsonata
known = contextvars.ContextVar("known", default={})


async def behind_tls(scope, receive, send):
    await serve({**scope, "scheme": "https"} if scope["type"] == "http" else scope, receive, send)


def extract_with_context(params):
    entries, number = {}, 1
    while key := iam._p(params, f"ContextEntries.member.{number}.ContextKeyName"):
        entries[key.lower()] = iam._p(params, f"ContextEntries.member.{number}.ContextKeyValues.member.1")
        number += 1
    known.set(entries)
    return extract(params)


sys.setswitchinterval(0.05)
app.app = behind_tls
jsonata.Jsonata.jsonata = lambda expression, timeout=None: parse(expression, timeout=timeout and 60 * timeout)
iam._extract_simulate_params = extract_with_context
iam_evaluator._resolve_condition_key = lambda key, context: known.get().get(key.lower()) or resolve(key, context)
app.main()
