"""Starts MiniStack with corrections, so that it behaves more like AWS:

- Its callers came by TLS, as behind a proxy: the bucket policy rejects plain HTTP.
- Its policy simulation reads ContextEntries: without them no condition such as iam:PassedToService could be met.
- Conditions of a template know the pseudo parameters (AWS::AccountId, AWS::Partition, AWS::Region).
- Hundreds of runs share its one interpreter. So an expression of a workflow may take a minute by the clock instead of a
  second, and threads ask for the interpreter twenty times a second instead of two hundred.
- Messages that are sent to a queue while Lambda reads it are not lost: all access to queues has one lock.
- A message that a function failed to handle returns after its queue's visibility timeout in scaled time (SFN_WAIT_SCALE),
  at the earliest after ten seconds.
- START_EXECUTION_THROTTLE, as JSON, makes Step Functions throttle the starts of executions: a bucket of `burst` starts that
  is filled by `perSecond`.
"""

import contextvars
import json
import os
import sys
import threading
import time

import jsonata
from ministack import app
from ministack.core import iam_evaluator
from ministack.services import eventbridge, iam, sqs, stepfunctions
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
collect, receive_for_function = sqs._collect_msgs, sqs._receive_messages_for_esm
start = stepfunctions._start_execution
queues = threading.RLock()
wait_scale = float(os.environ.get("SFN_WAIT_SCALE", "1"))
# Functions inherit the environment.
throttle = json.loads(os.environ.pop("START_EXECUTION_THROTTLE", "null"))
is_for_function = contextvars.ContextVar("is_for_function", default=False)


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


def alone(function):
    """The function, while nothing else has access to the queues."""

    def call(*arguments):
        with queues:
            return function(*arguments)

    return call


def receive_in_scaled_time(*arguments):
    token = is_for_function.set(True)
    try:
        return receive_for_function(*arguments)
    finally:
        is_for_function.reset(token)


def collect_in_scaled_time(queue, count, visibility, *arguments):
    if is_for_function.get():
        visibility = min(visibility, max(10, visibility * wait_scale))
    return collect(queue, count, visibility, *arguments)


class Bucket:
    """A token bucket, as Step Functions has one for each account and Region."""

    def __init__(self, burst, per_second):
        self.burst, self.per_second = burst, per_second
        self.tokens, self.filled = burst, time.monotonic()

    def take(self):
        now = time.monotonic()
        self.tokens = min(self.burst, self.tokens + (now - self.filled) * self.per_second)
        self.filled = now
        has_token = self.tokens >= 1
        self.tokens -= has_token
        return has_token


def start_throttled(data):
    if not bucket.take():
        return stepfunctions.error_response_json("ThrottlingException", "Rate exceeded", 400)
    return start(data)


if throttle:
    bucket = Bucket(throttle["burst"], throttle["perSecond"])
    stepfunctions._start_execution = start_throttled
sqs._queues_lock = queues
sqs._receive_messages_for_esm = receive_in_scaled_time
sqs._collect_msgs = alone(collect_in_scaled_time)
for module, name in ((eventbridge, "_dispatch_to_sqs"), (sqs, "_expire_retained"), (sqs, "_dlq_sweep")):
    setattr(module, name, alone(getattr(module, name)))
for action in ("SendMessage", "SendMessageBatch", "DeleteMessage", "DeleteMessageBatch", "ChangeMessageVisibility"):
    sqs._HANDLERS[action] = alone(sqs._HANDLERS[action])
sys.setswitchinterval(0.05)
for module in (changesets, engine, handlers, stacks):
    module._evaluate_conditions = evaluate_with_pseudo_parameters
app.app = behind_tls
jsonata.Jsonata.jsonata = lambda expression, timeout=None: parse(expression, timeout=timeout and 60 * timeout)
iam._extract_simulate_params = extract_with_context
iam_evaluator._resolve_condition_key = lambda key, context: known.get().get(key.lower()) or resolve(key, context)
app.main()
