"""The workflow redeliver as a table of cases, as audience_cases.py has the audience workflow. Run with the virtual
environment of the checks: python redeliver_cases.py redeliver.asl.json"""

import json

from audience_cases import failing, fails, main
from sfnx.testing import run

UPLOAD = {"detail-type": "Object Created", "detail": {"object": {"key": "seeds/a.jsonl"}}}
END = {"detail-type": "Step Functions Execution Status Change", "detail": {"name": "run"}}
DAILY = {"detail-type": "Scheduled Event", "detail": {}}
OTHER = {"detail-type": "Something Else", "detail": {}}


def drive(definition, bodies, answers):
    """Runs the workflow over a queue of these bodies, each delivery answered in turn. Returns the execution, the
    deliveries and the deleted messages."""
    queue = [{"MessageId": f"m{n}", "ReceiptHandle": f"r{n}", "Body": body if isinstance(body, str) else compact(body)}
             for n, body in enumerate(bodies)]
    delivered, deleted = [], []

    def task(call):
        if call.state == "ReceiveMessage":
            assert call.arguments["VisibilityTimeout"] > 900, "a message that fails comes back in the same run"
            return {"Messages": [queue.pop(0)]} if queue else {}
        if call.state == "DeleteMessage":
            deleted.append(call.arguments["ReceiptHandle"])
            return {}
        if call.state == "PublishEvent":
            delivered.append(("bus", call.arguments["Entries"][0]))
        elif call.state == "SendUpload":
            delivered.append((call.arguments["QueueUrl"], json.loads(call.arguments["MessageBody"])))
        else:
            delivered.append((call.arguments["FunctionName"], call.arguments["Payload"]))
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"Payload": answer}

    return run(definition, {}, task), delivered, deleted


def compact(event):
    """The text of an event, as EventBridge and Lambda write it."""
    return json.dumps(event, separators=(",", ":"))


def an_empty_queue_is_a_success(definition):
    execution, delivered, _ = drive(definition, [], [])
    assert execution.error is None and execution.output == {"delivered": 0}, execution
    assert delivered == []


def each_message_is_delivered_to_its_target_and_deleted(definition):
    record = {"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": UPLOAD, "responsePayload": {}}
    execution, delivered, deleted = drive(definition, [UPLOAD, END, record, DAILY], [{}] * 4)
    assert execution.output == {"delivered": 4}, execution
    targets = [target for target, _ in delivered]
    assert targets[0] == targets[2] == "${UploadQueueUrl}" and "PublishOutcome" in targets[1], targets
    assert "DeleteAudiences" in targets[3], targets
    assert [event for _, event in delivered] == [UPLOAD, END, UPLOAD, DAILY]
    assert deleted == ["r0", "r1", "r2", "r3"]


def a_message_that_fails_again_stays_and_the_others_are_delivered(definition):
    execution, delivered, deleted = drive(definition, [UPLOAD, END, UPLOAD], [{}, failing("AccessDenied"), {}])
    fails(execution, "MessagesLeft", "2 messages were delivered, 1 were not", "m1 (AccessDenied)")
    assert deleted == ["r0", "r2"]


def a_message_for_no_function_stays(definition):
    execution, delivered, deleted = drive(definition, [OTHER, UPLOAD], [{}])
    fails(execution, "MessagesLeft", "1 messages were delivered, 1 were not", "m0 (")
    assert deleted == ["r1"]


def a_message_that_is_not_json_stays(definition):
    execution, delivered, deleted = drive(definition, ["{not JSON", UPLOAD], [{}])
    fails(execution, "MessagesLeft", "1 messages were delivered, 1 were not", "m0 (")
    assert deleted == ["r1"]


def an_event_of_the_bus_is_published_again(definition):
    event = {"source": "lookalike", "detail-type": "Audience Ready", "resources": ["arn:run"], "detail": {"version": "1"}}
    execution, delivered, deleted = drive(definition, [event], [{}])
    assert execution.output == {"delivered": 1}, execution
    (to, entry), = delivered
    assert to == "bus" and entry["DetailType"] == "Audience Ready" and entry["Detail"] == {"version": "1"}, entry
    assert entry["Resources"] == ["arn:run"] and entry["EventBusName"] == "${EventBusName}", entry
    assert deleted == ["r0"]


def a_full_history_ends_the_run_before_another_message_is_received(definition):
    execution, delivered, _ = drive(definition, [UPLOAD] * 901, [{}] * 901)
    fails(execution, "MessagesLeft", "900 messages were delivered", "can have more messages")
    assert len(delivered) == 900


def messages_that_all_fail_are_each_tried_once(definition):
    execution, delivered, deleted = drive(definition, [END] * 12, [failing("NotFound")] * 12)
    fails(execution, "MessagesLeft", "0 messages were delivered, 12 were not", "and more")
    assert len(delivered) == 12 and deleted == []


if __name__ == "__main__":
    main(globals())
