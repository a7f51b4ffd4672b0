//! That stacks do not clash, and that an update does not break the runs that are under way.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aws_sdk_sfn::types::ExecutionStatus;
use local_aws::{LocalAws, STACK};

use super::{BOUND, answered, aws, data, run_of_upload, script};

/// The version of a function that a workflow calls, as its definition names it.
async fn version_of(aws: &LocalAws, state_machine: &str, function: &str) -> String {
    let machine = aws.sfn().describe_state_machine().state_machine_arn(state_machine).send().await.unwrap();
    let (_, rest) = machine.definition().split_once(&format!("-{function}-")).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// Waits until a workflow has another run than an earlier one, and that has entered a state.
async fn entered(aws: &LocalAws, state_machine: &str, state: &str, earlier: Option<&str>) -> String {
    let begun = Instant::now();
    loop {
        let runs = aws.sfn().list_executions().state_machine_arn(state_machine).send().await.unwrap().executions;
        if let Some(run) = runs.iter().find(|run| Some(run.execution_arn.as_str()) != earlier)
            && aws.history(&run.execution_arn).await.unwrap().iter().any(|entered| entered.state == state)
        {
            return run.execution_arn.clone();
        }
        assert!(begun.elapsed() < BOUND, "{state_machine} has no run in {state}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_second_stack_works_beside_the_first_is_updated_while_a_run_waits_and_leaves_only_its_data() {
    let aws = aws().await;
    let outputs = script(aws, &["stacks.py", "copy", STACK, "second"]).await;
    let outputs: BTreeMap<String, String> = serde_json::from_str(&outputs).unwrap();
    for (name, value) in &outputs {
        assert_ne!(aws.output(name).unwrap(), value, "{name} is shared");
    }
    assert!(script(aws, &["stacks.py", "unchanged", "second"]).await.contains("No updates are to be performed"));

    let machine = &outputs["AudienceStateMachineArn"];
    let seed = data("seed-cooks.jsonl");
    let put = aws.s3().put_object().bucket(&outputs["SeedBucketName"]).key("seeds/updated.jsonl");
    put.metadata("name", "updated")
        .metadata("export", "1pct")
        .body(seed.clone().into_bytes().into())
        .send()
        .await
        .unwrap();
    let run = entered(aws, machine, "WaitForGeneration", None).await;
    let began_with = version_of(aws, machine, "CheckStatusFunction").await;

    // From now on check-status does not even start.
    script(aws, &["stacks.py", "break", "second", "POLL_MIN_SECONDS"]).await;
    assert_ne!(version_of(aws, machine, "CheckStatusFunction").await, began_with);
    assert_eq!(aws.execution(&run).await.unwrap().status, ExecutionStatus::Running, "the update came too late");
    let ended = aws.wait_for_execution(&run, BOUND).await.unwrap();
    assert_eq!(answered(&ended)["exports"][0]["name"], "updated-1pct");

    // Rolled back, it takes uploads again.
    script(aws, &["stacks.py", "restore", "second", STACK]).await;
    let put = aws.s3().put_object().bucket(&outputs["SeedBucketName"]).key("seeds/again.jsonl");
    put.metadata("export", "none").body(seed.clone().into_bytes().into()).send().await.unwrap();
    let again = entered(aws, machine, "CheckGeneration", Some(&run)).await;
    answered(&aws.wait_for_execution(&again, BOUND).await.unwrap());

    // The first stack knows nothing of all that.
    aws.upload("seeds/beside.jsonl", seed, &[("export", "none")]).await.unwrap();
    answered(&run_of_upload(aws, "seeds/beside.jsonl").await);
    assert_eq!(aws.executions_of_upload("seeds/updated.jsonl").await.unwrap(), []);

    // What holds data outlives the stack, and nothing else does.
    let left = script(aws, &["stacks.py", "delete", "second"]).await;
    let left: BTreeMap<String, Vec<String>> = serde_json::from_str(&left).unwrap();
    assert_eq!(left, BTreeMap::from([("buckets".to_owned(), vec![outputs["SeedBucketName"].clone()])]));
    assert!(!aws.list(&format!("s3://{}/reports/", outputs["SeedBucketName"])).await.unwrap().is_empty());
}
