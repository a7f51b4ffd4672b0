//! That stacks do not clash, and that an update does not break the runs that are under way.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aws_sdk_sfn::primitives::{DateTime, DateTimeFormat as Format};
use aws_sdk_sfn::types::ExecutionStatus;
use local_aws::{Execution, LocalAws, STACK};
use serde_json::{Value, json};

use super::{BOUND, OTHER_MODEL, answered, aws, data, run_of_upload, script};

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

/// Uploads a SQL request to another stack, and returns its run when it has ended.
async fn run_of_sql(aws: &LocalAws, outputs: &BTreeMap<String, String>, name: &str) -> Execution {
    let request =
        json!({"name": name, "export": "none", "seedAudience": {"sqlParameters": {"queryString": "SELECT 1"}}});
    let put = aws.s3().put_object().bucket(&outputs["SeedBucketName"]).key(format!("requests/{name}.json"));
    put.body(request.to_string().into_bytes().into()).send().await.unwrap();
    let begun = Instant::now();
    loop {
        let machine = &outputs["AudienceStateMachineArn"];
        let runs = aws.sfn().list_executions().state_machine_arn(machine).send().await.unwrap().executions;
        if let Some(run) = runs.iter().find(|run| run.name.starts_with(name)) {
            return aws.wait_for_execution(&run.execution_arn, BOUND).await.unwrap();
        }
        assert!(begun.elapsed() < BOUND, "no run of {name}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// When the emulator was asked for the status of a job, as differences in seconds.
async fn seconds_between_checks(aws: &LocalAws, name: &str) -> Vec<f64> {
    let calls = aws.calls().await.unwrap();
    let checks = calls.iter().filter(|call| call.operation == "GetAudienceGenerationJob");
    let times: Vec<_> =
        checks.filter(|call| call.name.as_deref() == Some(name)).map(|call| call.at().unwrap()).collect();
    // The first call is start-generation's: it proves that the job is the run's.
    times[1..].windows(2).map(|pair| pair[1].duration_since(pair[0]).unwrap_or_default().as_secs_f64()).collect()
}

/// The generation job of a name, as the service lists it.
async fn job_of(aws: &LocalAws, name: &Value) -> Value {
    let mut page = aws.emulator("audience-generation-job").await.unwrap();
    loop {
        let jobs = page["audienceGenerationJobs"].as_array().unwrap();
        if let Some(job) = jobs.iter().find(|job| job["name"] == *name) {
            return job.clone();
        }
        let next = page["nextToken"].as_str().unwrap_or_else(|| panic!("no job {name}"));
        page = aws.emulator(&format!("audience-generation-job?nextToken={next}")).await.unwrap();
    }
}

/// What a run made of the parameters, as the service and the run's report have it.
async fn parameters_of(aws: &LocalAws, run: &Execution) -> Value {
    let output = answered(run);
    let job = job_of(aws, &output["name"]).await;
    let report = output["report"].as_str().unwrap().replace("index.html", "report.json");
    let report: Value = serde_json::from_slice(&aws.read(&report).await.unwrap()).unwrap();
    let deadline = DateTime::from_str(report["run"]["deadline"].as_str().unwrap(), Format::DateTime).unwrap();
    let started = DateTime::from(run.started);
    json!({
        "model": job["configuredAudienceModelArn"],
        "collaboration": job["collaborationId"],
        "exports": output["exports"].as_array().unwrap().iter().map(|export| &export["name"]).collect::<Vec<_>>(),
        "hours": (deadline.secs() - started.secs() + 1800) / 3600,
    })
}

#[tokio::test]
async fn a_run_keeps_the_parameters_that_it_began_with_and_the_next_has_new_ones() {
    const COLLABORATION: &str = "01234567-89ab-cdef-0123-456789abcdef";
    let aws = aws().await;
    let outputs = script(aws, &["stacks.py", "copy", STACK, "third"]).await;
    let outputs: BTreeMap<String, String> = serde_json::from_str(&outputs).unwrap();
    let machine = &outputs["AudienceStateMachineArn"];
    let upload = async |name: &str| {
        let put = aws.s3().put_object().bucket(&outputs["SeedBucketName"]).key(format!("seeds/{name}.jsonl"));
        put.metadata("name", name).body(data("seed-cooks.jsonl").into_bytes().into()).send().await.unwrap();
    };
    script(aws, &["stacks.py", "update", "third", "ExportPolicy=1pct", "PollMinSeconds=20", "PollMaxSeconds=20"]).await;
    assert_eq!(run_of_sql(aws, &outputs, "sql-before").await.error.as_deref(), Some("InvalidRequest"));
    upload("before-update").await;
    let before = entered(aws, machine, "WaitForGeneration", None).await;
    let began_with = version_of(aws, machine, "CheckRequestFunction").await;

    let model = format!("ConfiguredAudienceModelArn={OTHER_MODEL}");
    let collaboration = format!("CollaborationId={COLLABORATION}");
    let membership = format!("MembershipId={COLLABORATION}");
    let changed = ["ExportPolicy=2pct,5pct", "DeadlineSeconds=36000", "PollMinSeconds=100", "PollMaxSeconds=100"];
    script(aws, &[&["stacks.py", "update", "third", &model, &collaboration, &membership], &changed[..]].concat()).await;
    assert_eq!(version_of(aws, machine, "CheckRequestFunction").await, began_with, "a value published a version");
    assert_eq!(aws.execution(&before).await.unwrap().status, ExecutionStatus::Running, "the update came too late");
    upload("after-update").await;
    let after = entered(aws, machine, "WaitForGeneration", Some(&before)).await;
    // The emulator cannot query: it accepts the job, which then fails.
    assert_eq!(run_of_sql(aws, &outputs, "sql-after").await.error.as_deref(), Some("GenerationFailed"));

    let runs =
        [aws.wait_for_execution(&before, BOUND).await.unwrap(), aws.wait_for_execution(&after, BOUND).await.unwrap()];
    let model = &aws.emulator_configuration().models[0].configured_audience_model_arn;
    assert_eq!(
        parameters_of(aws, &runs[0]).await,
        json!({"model": model.as_str(), "collaboration": null, "exports": ["before-update-1pct"], "hours": 48})
    );
    assert_eq!(
        parameters_of(aws, &runs[1]).await,
        json!({
            "model": OTHER_MODEL, "collaboration": COLLABORATION, "hours": 10,
            "exports": ["after-update-2pct", "after-update-5pct"],
        })
    );
    // Waits take a twentieth of their time here.
    let least = |seconds: Vec<f64>| seconds.into_iter().fold(f64::MAX, f64::min);
    let (before, after) =
        (seconds_between_checks(aws, "before-update").await, seconds_between_checks(aws, "after-update").await);
    assert!(before.len() > 5 && least(before.clone()) < 4.0, "{before:?}");
    assert!(!after.is_empty() && least(after.clone()) >= 5.0, "{after:?}");
    script(aws, &["stacks.py", "delete", "third"]).await;
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

    // The new version of check-status reaches no service.
    script(aws, &["stacks.py", "break", "second", "CheckStatusFunction", "AWS_ENDPOINT_URL_CLEANROOMSML"]).await;
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
