"""The workflow of dead letters as a table of cases, as audience_cases.py has the audience's. Run with the checks' virtual
environment: python dead_letter_cases.py dead-letters.asl.json"""

import json

from audience_cases import failing, fails, main
from sfnx.testing import run

UPLOAD = {"detail-type": "Object Created", "detail": {"object": {"key": "seeds/a.jsonl"}}}
END = {"detail-type": "Step Functions Execution Status Change", "detail": {"name": "run"}}
DAILY = {"detail-type": "Scheduled Event", "detail": {}}
OTHER = {"detail-type": "Something Else", "detail": {}}


def drive(definition, bodies, answers):
    """Runs the workflow over a queue of these bodies, each delivery answered in turn. Answers what was delivered and what
    was deleted."""
    queue = [{"MessageId": f"m{n}", "ReceiptHandle": f"r{n}", "Body": body if isinstance(body, str) else json.dumps(body)}
             for n, body in enumerate(bodies)]
    delivered, deleted = [], []

    def task(call):
        if call.state == "TakeLetter":
            assert call.arguments["VisibilityTimeout"] > 900, "a letter that fails comes back in the same run"
            return {"Messages": [queue.pop(0)]} if queue else {}
        if call.state == "DeleteLetter":
            deleted.append(call.arguments["ReceiptHandle"])
            return {}
        if call.state == "PublishEvent":
            delivered.append(("bus", call.arguments["Entries"][0]))
        else:
            delivered.append((call.arguments["FunctionName"], call.arguments["Payload"]))
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"Payload": answer}

    return run(definition, {}, task), delivered, deleted


def an_empty_queue_is_well(definition):
    execution, delivered, _ = drive(definition, [], [])
    assert execution.error is None and execution.output == {"delivered": 0}, execution
    assert delivered == []


def each_letter_is_delivered_to_the_function_it_was_for_and_deleted(definition):
    record = {"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": UPLOAD, "responsePayload": {}}
    execution, delivered, deleted = drive(definition, [UPLOAD, END, record, DAILY], [{}] * 4)
    assert execution.output == {"delivered": 4}, execution
    functions = [function for function, _ in delivered]
    assert "ReceiveUpload" in functions[0] and "PublishOutcome" in functions[1] and functions[2] == functions[0], functions
    assert "DeleteAudiences" in functions[3], functions
    assert [event for _, event in delivered] == [UPLOAD, END, UPLOAD, DAILY]
    assert deleted == ["r0", "r1", "r2", "r3"]


def a_letter_that_fails_again_stays_and_the_others_are_delivered(definition):
    execution, delivered, deleted = drive(definition, [UPLOAD, END, UPLOAD], [{}, failing("AccessDenied"), {}])
    fails(execution, "LettersLeft", "2 delivered, 1 not", "m1 (AccessDenied)")
    assert deleted == ["r0", "r2"]


def a_letter_that_is_for_none_of_the_functions_stays(definition):
    execution, delivered, deleted = drive(definition, [OTHER, UPLOAD], [{}])
    fails(execution, "LettersLeft", "1 delivered, 1 not", "m0 (")
    assert deleted == ["r1"]


def an_event_of_the_bus_is_published_again(definition):
    event = {"source": "lookalike", "detail-type": "Audience Ready", "resources": ["arn:run"], "detail": {"version": "1"}}
    body = json.dumps(event, separators=(",", ":"))
    execution, delivered, deleted = drive(definition, [body], [{}])
    assert execution.output == {"delivered": 1}, execution
    (to, entry), = delivered
    assert to == "bus" and entry["DetailType"] == "Audience Ready" and entry["Detail"] == {"version": "1"}, entry
    assert entry["Resources"] == ["arn:run"] and entry["EventBusName"] == "${EventBusName}", entry
    assert deleted == ["r0"]


def a_full_history_ends_the_run_before_another_message_is_taken(definition):
    execution, delivered, _ = drive(definition, [UPLOAD] * 901, [{}] * 901)
    fails(execution, "LettersLeft", "900 delivered", "may have more messages")
    assert len(delivered) == 900


def letters_that_all_fail_are_not_tried_for_ever(definition):
    execution, delivered, deleted = drive(definition, [UPLOAD] * 12, [failing("NotFound")] * 12)
    fails(execution, "LettersLeft", "0 delivered, 12 not", "and more")
    assert len(delivered) == 12 and deleted == []


if __name__ == "__main__":
    main(globals())
