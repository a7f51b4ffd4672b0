//! A world: uploads, the workflows, the functions and the services, from the begin until every run has ended.

use std::collections::BTreeMap;
use std::mem;
use std::rc::Rc;
use std::time::Duration;

use emulator::{Config, Emulator};
use fastrand::Rng;
use lookalike::upload::{Kind, Upload};
use serde_json::{Value, json};

use crate::asl::{
    Call, Definition, Execution, ExecutionId, ExecutionStatus, Failure, Reply, StateMachine, StepFunctions, TaskToken,
    World,
};
use crate::clock::{self, BEGIN};
use crate::functions::{BUCKET, Functions};
use crate::invariants::{self, Ended, Violation};
use crate::plan::{Plan, PlannedRun, RunKind};
use crate::services::{self, Services};
use crate::storage::Storage;

const ACCOUNT: &str = "123456789012";
const OTHER_ACCOUNT: &str = "444455556666";
/// The longest time that a function takes, in milliseconds: shorter than the timeout of every task.
const MAX_CALL_MS: u64 = 25_000;
/// A world that has not ended after this time, in seconds from its begin, never ends.
const MAX_SECONDS: u64 = 40 * 86_400;

pub(crate) fn model_arn(is_foreign: bool) -> String {
    let account = if is_foreign { OTHER_ACCOUNT } else { ACCOUNT };
    format!("arn:aws:cleanrooms-ml:us-east-1:{account}:configured-audience-model/simulated")
}

fn solution_version_arn() -> String {
    format!("arn:aws:personalize:us-east-1:{ACCOUNT}:solution/simulated/1a2b3c4d")
}

/// What happened in a world.
#[derive(Debug)]
pub struct Outcome {
    /// The executions that ran.
    pub executions: usize,
    /// Those that succeeded.
    pub succeeded: usize,
    /// Those that failed, by their error.
    pub failed: BTreeMap<String, usize>,
    /// How often each fault was injected.
    pub faults: BTreeMap<&'static str, u64>,
    /// The most events of a history.
    pub max_events: u32,
    /// The most bytes of a state.
    pub max_data_bytes: usize,
    /// What must be true and is not.
    pub violations: Vec<Violation>,
    /// The history of the execution of the first violation.
    pub history: Vec<String>,
}

/// Runs a world. Its time is virtual, so this takes milliseconds.
///
/// # Errors
/// If the world cannot be set up.
pub fn run(plan: &Plan) -> Result<Outcome, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.map_err(|error| error.to_string())?.block_on(run_world(plan))
}

enum Event {
    Upload(usize),
    Deliver(usize),
    Stop(usize),
    Redrive(usize),
    Delete(usize),
    /// A function answers.
    Answer(TaskToken, Result<Value, Failure>),
}

/// A task that a function works on.
struct Pending {
    token: TaskToken,
    state: Rc<str>,
    function: String,
    payload: Value,
}

struct Simulated<'p> {
    plan: &'p Plan,
    rng: Rng,
    audience: Rc<StateMachine>,
    segment: Rc<StateMachine>,
    pending: Vec<Pending>,
    /// What each planned run uploaded, once it has.
    uploads: Vec<Option<Upload>>,
    executions: Vec<Option<ExecutionId>>,
    /// The faults of functions, and other events of the world.
    faults: BTreeMap<&'static str, u64>,
    /// Of each execution: what its functions were called for and what they answered.
    log: BTreeMap<ExecutionId, Vec<String>>,
    is_deleted: Vec<bool>,
}

async fn run_world(plan: &Plan) -> Result<Outcome, String> {
    clock::begin(plan.function_skew, plan.service_skew);
    let emulator = Emulator::new(emulator_config(plan)?).await?;
    services::begin(Services {
        emulator,
        storage: Storage::default(),
        rng: Rng::with_seed(plan.random_seed ^ 1),
        rates: plan.rates,
        outages: plan.outages.clone(),
        max_late: plan.max_late,
        faults: BTreeMap::new(),
        calls: Vec::new(),
    });
    let functions = Functions::new().map_err(|error| error.to_string())?;
    let mut world = Simulated {
        plan,
        rng: Rng::with_seed(plan.random_seed ^ 2),
        audience: machine("audience", plan)?,
        segment: machine("segment", plan)?,
        pending: Vec::new(),
        uploads: vec![None; plan.runs.len()],
        executions: vec![None; plan.runs.len()],
        faults: BTreeMap::new(),
        log: BTreeMap::new(),
        is_deleted: vec![false; plan.runs.len()],
    };
    let mut steps = StepFunctions::new(BEGIN, plan.random_seed ^ 3);
    for (place, run) in plan.runs.iter().enumerate() {
        let seconds = Duration::from_secs;
        steps.schedule(seconds(run.at), Event::Upload(place));
        for after in &run.repeated {
            steps.schedule(seconds(run.at + after), Event::Deliver(place));
        }
        if let Some((stopped, redriven)) = run.stopped {
            steps.schedule(seconds(run.at + stopped), Event::Stop(place));
            steps.schedule(seconds(run.at + stopped + redriven), Event::Redrive(place));
        }
        if let Some(deleted) = run.deleted {
            steps.schedule(seconds(run.at + deleted), Event::Delete(place));
        }
    }
    let mut is_endless = false;
    while let Some(next) = steps.next_time() {
        if next.since(BEGIN).as_secs() > MAX_SECONDS {
            is_endless = true;
            break;
        }
        clock::sleep_until(next).await;
        steps.run_until(next, &mut world);
        for pending in mem::take(&mut world.pending) {
            world.work(pending, &functions, &mut steps).await;
        }
    }
    // What was accepted late appears now.
    clock::sleep_until(steps.now() + Duration::from_hours(72)).await;
    Ok(world.judge(&steps, is_endless))
}

fn machine(workflow: &str, plan: &Plan) -> Result<Rc<StateMachine>, String> {
    let text = match workflow {
        "audience" => include_str!("../../../statemachine/audience.asl.json"),
        _ => include_str!("../../../statemachine/segment.asl.json"),
    };
    let (deadline, min, max) =
        (plan.deadline_seconds.to_string(), plan.poll.0.to_string(), plan.poll.1.max(plan.poll.0).to_string());
    let (model, seed_role) = (model_arn(false), format!("arn:aws:iam::{ACCOUNT}:role/seed"));
    let segment_role = format!("arn:aws:iam::{ACCOUNT}:role/segment");
    let substitutions = [
        ("Partition", "aws"),
        ("CheckRequestFunctionArn", "check-request"),
        ("StartGenerationFunctionArn", "start-generation"),
        ("StartExportFunctionArn", "start-export"),
        ("StartSegmentFunctionArn", "start-segment"),
        ("CheckStatusFunctionArn", "check-status"),
        ("CountSegmentOutputFunctionArn", "count-segment-output"),
        ("WriteReportFunctionArn", "write-report"),
        ("ConfiguredAudienceModelArn", model.as_str()),
        ("CollaborationId", ""),
        ("ExportPolicy", "all"),
        ("DeadlineSeconds", deadline.as_str()),
        ("SeedRoleArn", seed_role.as_str()),
        ("SqlSeeds", "true"),
        ("SegmentRoleArn", segment_role.as_str()),
        ("KmsKeyArn", ""),
        ("PollMinSeconds", min.as_str()),
        ("PollMaxSeconds", max.as_str()),
    ];
    let definition = Definition::parse(text, &substitutions).map_err(|error| error.to_string())?;
    Ok(Rc::new(StateMachine::new(workflow, definition)))
}

fn emulator_config(plan: &Plan) -> Result<Config, String> {
    let model = |is_foreign: bool| {
        json!({
            "configuredAudienceModelArn": model_arn(is_foreign), "name": "simulated", "trainingData": "none",
            "outputS3Uri": "s3://audiences/exports/", "minMatchingSeedSize": 25,
            "audienceSizeConfig": {"audienceSizeType": "PERCENTAGE", "audienceSizeBins": (1..=25).collect::<Vec<_>>()},
        })
    };
    let mut faults = Vec::new();
    if plan.list_lag > 0 {
        faults.push(json!({"fault": {"kind": "listDelay", "seconds": plan.list_lag}}));
    }
    let config = json!({
        "accountId": ACCOUNT, "models": [model(false), model(true)], "faults": faults,
        "generationSeconds": plan.generation_seconds, "exportSeconds": plan.export_seconds,
        "segmentSeconds": plan.generation_seconds,
        "maxGenerationJobsInFlight": plan.generation_quota, "maxExportJobsInFlight": plan.export_quota,
        "maxSegmentJobsInFlight": plan.generation_quota,
        "dropTagsForOtherAccountsModels": plan.drops_tags,
        "solutionVersions": [{
            "solutionVersionArn": solution_version_arn(), "recipe": "aws-item-affinity", "trainingData": "none",
        }],
    });
    let config: Config = serde_json::from_value(config).map_err(|error| error.to_string())?;
    Ok(Config { without_data: true, ..config })
}

/// A user id that must not be found anywhere but in the bucket's seeds and checked seeds.
pub(crate) const MARKED: &str = "marked-user";

impl Simulated<'_> {
    /// Uploads what a run begins with.
    fn upload(&mut self, place: usize) {
        let run = &self.plan.runs[place];
        let time = clock::now();
        let (key, body, metadata) = uploaded(run, place);
        services::with(|services| {
            if matches!(run.kind, RunKind::Segment) {
                let items: String = (0..3).map(|item| format!("{{\"itemId\":\"{item}\"}}\n")).collect();
                let key = format!("segments/input/{place}/items.jsonl");
                services.storage.put(&key, items.into_bytes(), Vec::new(), moment(time));
            }
            if matches!(run.kind, RunKind::Seed { .. }) && key.starts_with("requests/") {
                services.storage.put(&format!("seeds/of-request-{place}"), seed(), Vec::new(), moment(time));
            }
            let size = body.len() as u64;
            let version = services.storage.put(&key, body, metadata, moment(time));
            self.uploads[place] = Some(Upload {
                bucket: BUCKET.to_owned(),
                key,
                version_id: Some(version),
                etag: Some("e".to_owned()),
                sequencer: Some(format!("{place:04}")),
                size: Some(size),
            });
        });
    }

    /// Delivers the event of an upload, as `receive-upload` handles it.
    fn deliver(&mut self, place: usize, steps: &mut StepFunctions<Event>) {
        let Some(upload) = &self.uploads[place] else { return };
        let machine = match upload.kind() {
            Some(Kind::Seed | Kind::Request) => &self.audience,
            Some(Kind::Segment) => &self.segment,
            None => return,
        };
        match steps.start_execution(machine, &upload.execution_name(), json!({ "upload": upload })) {
            Ok(id) => self.executions[place] = Some(id),
            Err(_) => *self.faults.entry("repeated event").or_default() += 1,
        }
    }

    fn execution<'s>(&self, place: usize, steps: &'s StepFunctions<Event>) -> Option<(ExecutionId, &'s Execution)> {
        let id = self.executions[place]?;
        Some((id, steps.execution(id)))
    }

    /// Deletes the generation job of a run, as an operator does in the console.
    fn delete(&mut self, place: usize, steps: &StepFunctions<Event>) {
        let Some((_, execution)) = self.execution(place, steps) else { return };
        let jobs = services::with(|services| services.emulator.started_jobs());
        let is_ours = |job: &&Value| job["tags"]["lookalike:run"] == execution.arn();
        let Some(arn) =
            invariants::list(&jobs, "generationJobs").iter().find(is_ours).and_then(|job| job["arn"].as_str())
        else {
            return;
        };
        let path = arn.replace('/', "%2F").replace(':', "%3A");
        let request = axum::http::Request::delete(format!("http://ml/audience-generation-job/{path}"));
        let Ok(request) = request.body(Vec::new()) else { return };
        if services::with(|services| services.emulator.answer(request)).status().is_success() {
            self.is_deleted[place] = true;
            *self.faults.entry("deleted job").or_default() += 1;
        }
    }

    /// Lets a function work on a task, as far as its fate allows.
    async fn work(&mut self, pending: Pending, functions: &Functions, steps: &mut StepFunctions<Event>) {
        let Pending { token, state, function, payload } = pending;
        let rates = self.plan.rates;
        let mut happens = |rate: f64| rate > 0.0 && self.rng.f64() < rate;
        let fate = if happens(rates.not_invoked) {
            Some(("throttled function", Some(throttled())))
        } else if happens(rates.died_before) {
            Some(("function died before", Some(self.death())))
        } else {
            None
        };
        if let Some((fault, failure)) = fate {
            *self.faults.entry(fault).or_default() += 1;
            self.note(token, &state, fault, steps);
            if let Some(failure) = failure {
                steps.answer(token, Err(failure));
            }
            return;
        }
        if function == "count-segment-output"
            && let Some(folder) =
                payload["outputLocation"].as_str().and_then(|place| place.strip_prefix("s3://stack-bucket/"))
        {
            // What Personalize wrote: the emulator has no data here.
            let line = b"{\"input\":{\"itemId\":\"0\"},\"output\":{\"usersList\":[\"1\"]},\"error\":null}\n".to_vec();
            let now = moment(clock::now());
            services::with(|services| services.storage.put(&format!("{folder}items.jsonl.out"), line, Vec::new(), now));
        }
        let calls = services::with(|services| services.calls.len());
        let answer = functions.call(&function, payload, &calls.to_string()).await;
        let made = services::with(|services| services.calls[calls..].to_vec());
        let made: Vec<String> = made
            .iter()
            .map(|call| {
                format!(
                    "{} {}{}",
                    call.operation,
                    call.status,
                    call.fault.map_or(String::new(), |fault| format!(" ({fault})"))
                )
            })
            .collect();
        let mut happens = |rate: f64| rate > 0.0 && self.rng.f64() < rate;
        let (what, answer) = if happens(rates.died_after) {
            ("function died after", Some(Err(self.death())))
        } else if happens(rates.silent) {
            ("silent function", None)
        } else {
            let failed = |error: lookalike::Error| Failure::of_function(error.name.as_str(), &error.message);
            ("", Some(answer.map(|payload| json!({"StatusCode": 200, "Payload": payload})).map_err(failed)))
        };
        if !what.is_empty() {
            *self.faults.entry(what).or_default() += 1;
        }
        let text = match &answer {
            Some(Ok(answer)) => answer["Payload"].to_string(),
            Some(Err(failure)) => failure.to_string(),
            None => String::new(),
        };
        self.note(token, &state, &format!("{what} [{}] {text}", made.join(", ")), steps);
        if let Some(answer) = answer {
            // The calls were made when the function began. Until it answers, the execution can be stopped.
            let duration = Duration::from_millis(self.rng.u64(100..MAX_CALL_MS));
            steps.schedule(duration, Event::Answer(token, answer));
        }
    }

    fn note(&mut self, token: TaskToken, state: &str, text: &str, steps: &StepFunctions<Event>) {
        let line = format!("{} {state}: {text}", steps.now());
        self.log.entry(token.execution()).or_default().push(line);
    }

    fn death(&mut self) -> Failure {
        match self.rng.u32(..4) {
            0 => Failure::new(
                "Lambda.Unknown",
                "The cause could not be determined because Lambda did not return an error type. Returned payload: \
                 {\"errorMessage\":\"2026-01-01T00:00:00.000Z 1 Task timed out after 300.00 seconds\"}",
            ),
            1 => Failure::new(
                "Sandbox.Timedout",
                "{\"errorType\":\"Sandbox.Timedout\",\"errorMessage\":\"RequestId: 1 Error: Task timed out after 300.00 seconds\"}",
            ),
            2 => Failure::new(
                "Runtime.ExitError",
                "{\"errorType\":\"Runtime.ExitError\",\"errorMessage\":\"RequestId: 1 Error: Runtime exited with error: signal: killed\"}",
            ),
            _ => Failure::new("Lambda.ServiceException", "{\"errorMessage\":\"Service failed\"}"),
        }
    }

    fn judge(self, steps: &StepFunctions<Event>, is_endless: bool) -> Outcome {
        let Some(services) = services::end() else { return empty() };
        let jobs = services.emulator.started_jobs();
        let ended: Vec<Ended<'_>> = self
            .plan
            .runs
            .iter()
            .enumerate()
            .filter_map(|(place, run)| {
                let (id, execution) = self.execution(place, steps)?;
                Some(Ended { run, place, id, execution, is_deleted: self.is_deleted[place] })
            })
            .collect();
        let mut violations = invariants::check(self.plan, &ended, steps, &jobs, &services);
        if is_endless {
            violations.push(Violation { execution: None, text: "the world never ends".to_owned() });
        }
        let mut outcome = empty();
        for (_, execution) in steps.executions() {
            outcome.executions += 1;
            outcome.max_events = outcome.max_events.max(execution.usage().events);
            outcome.max_data_bytes = outcome.max_data_bytes.max(execution.usage().max_data_bytes);
            match execution.status() {
                ExecutionStatus::Succeeded(_) => outcome.succeeded += 1,
                ExecutionStatus::Failed(failure) => *outcome.failed.entry(failure.error.clone()).or_default() += 1,
                ExecutionStatus::Aborted => *outcome.failed.entry("Aborted".to_owned()).or_default() += 1,
                ExecutionStatus::Running => *outcome.failed.entry("Running".to_owned()).or_default() += 1,
            }
        }
        outcome.faults = services.faults;
        for (fault, count) in self.faults {
            *outcome.faults.entry(fault).or_default() += count;
        }
        *outcome.faults.entry("outage").or_default() += self.plan.outages.len() as u64;
        if let Some(id) = violations.iter().find_map(|violation| violation.execution) {
            outcome.history = self.log.get(&id).cloned().unwrap_or_default();
        }
        outcome.violations = violations;
        outcome
    }
}

fn empty() -> Outcome {
    Outcome {
        executions: 0,
        succeeded: 0,
        failed: BTreeMap::new(),
        faults: BTreeMap::new(),
        max_events: 0,
        max_data_bytes: 0,
        violations: Vec::new(),
        history: Vec::new(),
    }
}

fn throttled() -> Failure {
    Failure::new("Lambda.TooManyRequestsException", "Rate Exceeded. (Service: Lambda, Status Code: 429)")
}

fn moment(time: crate::asl::Timestamp) -> lookalike::execution::Moment {
    (std::time::UNIX_EPOCH + Duration::from_millis(time.epoch_ms().unsigned_abs())).into()
}

fn seed() -> Vec<u8> {
    (0..30).map(|user| format!("{{\"user_id\":\"{MARKED}-{user}\"}}\n")).collect::<String>().into_bytes()
}

/// Returns the key, the body and the metadata of what a run begins with.
fn uploaded(run: &PlannedRun, place: usize) -> (String, Vec<u8>, Vec<(String, String)>) {
    match &run.kind {
        RunKind::Seed { export, is_foreign: false } => {
            let mut metadata = vec![("export".to_owned(), export.clone())];
            metadata.extend(run.name.iter().map(|name| ("name".to_owned(), name.clone())));
            (format!("seeds/{place}.jsonl"), seed(), metadata)
        }
        RunKind::Seed { export, is_foreign: true } => {
            let mut request = json!({
                "configuredAudienceModelArn": model_arn(true), "export": export,
                "collaborationId": "01234567-89ab-cdef-0123-456789abcdef",
                "seedAudience": {"dataSource": {"s3Uri": format!("s3://{BUCKET}/seeds/of-request-{place}")}},
            });
            if let Some(name) = &run.name {
                request["name"] = json!(name);
            }
            (format!("requests/{place}.json"), request.to_string().into_bytes(), Vec::new())
        }
        RunKind::Segment => {
            let mut request = json!({
                "solutionVersionArn": solution_version_arn(),
                "jobInput": {"s3DataSource": {"path": format!("s3://{BUCKET}/segments/input/{place}/items.jsonl")}},
                "jobOutput": {"s3DataDestination": {"path": format!("s3://{BUCKET}/segment-output/{place}/")}},
            });
            if let Some(name) = &run.name {
                request["jobName"] = json!(name);
            }
            (format!("segments/{place}.json"), request.to_string().into_bytes(), Vec::new())
        }
    }
}

impl World for Simulated<'_> {
    type Event = Event;

    fn invoke(&mut self, call: Call, _: &mut StepFunctions<Event>) -> Reply {
        let function = call.arguments["FunctionName"].as_str().unwrap_or_default().to_owned();
        let payload = call.arguments["Payload"].clone();
        self.pending.push(Pending { token: call.token, state: call.state, function, payload });
        Reply::Later
    }

    fn handle(&mut self, event: Event, steps: &mut StepFunctions<Event>) {
        match event {
            Event::Upload(place) => {
                self.upload(place);
                self.deliver(place, steps);
            }
            Event::Deliver(place) => self.deliver(place, steps),
            Event::Stop(place) => {
                if let Some(id) = self.executions[place]
                    && steps.stop_execution(id)
                {
                    *self.faults.entry("stopped").or_default() += 1;
                }
            }
            Event::Redrive(place) => {
                if let Some(id) = self.executions[place]
                    && steps.redrive(id).is_ok()
                {
                    *self.faults.entry("redriven").or_default() += 1;
                }
            }
            Event::Delete(place) => self.delete(place, steps),
            Event::Answer(token, answer) => steps.answer(token, answer),
        }
    }

    fn execution_ended(&mut self, _: ExecutionId, _: &mut StepFunctions<Event>) {}
}
