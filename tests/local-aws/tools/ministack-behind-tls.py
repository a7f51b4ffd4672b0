"""Starts MiniStack with four corrections, so that it behaves more like AWS:

- Its callers came by TLS, as behind a proxy: the bucket policy rejects plain HTTP.
- Its policy simulation reads ContextEntries: without them no condition such as iam:PassedToService could be met.
- Conditions of a template know the pseudo parameters (AWS::AccountId, AWS::Partition, AWS::Region).
- Hundreds of runs share its one interpreter. So an expression of a workflow may take a minute by the clock instead of a
  second, and threads ask for the interpreter twenty times a second instead of two hundred.
"""

import contextvars
import sys

import jsonata
from ministack import app
from ministack.core import iam_evaluator
from ministack.services import iam
from ministack.services.cloudformation import changesets, engine, handlers, stacks

PSEUDO_PARAMETERS = {
    "AWS::AccountId": {"Value": "000000000000"},
    "AWS::Partition": {"Value": "aws"},
    "AWS::Region": {"Value": "us-east-1"},
}
serve = app.app
extract, resolve = iam._extract_simulate_params, iam_evaluator._resolve_condition_key
parse = jsonata.Jsonata.jsonata
evaluate = engine._evaluate_conditions
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


def evaluate_with_pseudo_parameters(template, parameters):
    return evaluate(template, PSEUDO_PARAMETERS | parameters)


sys.setswitchinterval(0.05)
for module in (changesets, engine, handlers, stacks):
    module._evaluate_conditions = evaluate_with_pseudo_parameters
app.app = behind_tls
jsonata.Jsonata.jsonata = lambda expression, timeout=None: parse(expression, timeout=timeout and 60 * timeout)
iam._extract_simulate_params = extract_with_context
iam_evaluator._resolve_condition_key = lambda key, context: known.get().get(key.lower()) or resolve(key, context)
app.main()
