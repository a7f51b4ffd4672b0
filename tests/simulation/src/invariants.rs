//! What must be true of a world when every run has ended.

use std::collections::BTreeMap;

use lookalike::execution::Moment;
use serde_json::{Value, json};

use crate::asl::{Execution, ExecutionId, ExecutionStatus, StepFunctions};
use crate::clock::BEGIN;
use crate::plan::{Plan, PlannedRun, RunKind};
use crate::services::Services;
use crate::world::MARKED;

/// The most events of a history, below the 25,000 of Step Functions.
const MAX_EVENTS: u32 = 20_000;
/// The most bytes of a state, below the 262,144 of Step Functions.
const MAX_DATA_BYTES: usize = 200 * 1_024;
/// How long before the deadline all jobs of a run have finished that must succeed, in seconds: the longest wait between
/// two checks, and the longest doubt about a start.
const MARGIN: i64 = 7_200;

/// The errors of a function that died.
const DEATHS: [&str; 4] = ["Lambda.Unknown", "Sandbox.Timedout", "Runtime.ExitError", "States.Timeout"];

/// What must be true and is not.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The execution that it is about.
    pub execution: Option<ExecutionId>,
    /// What is wrong.
    pub text: String,
}

/// A run that has ended.
pub(crate) struct Ended<'w> {
    pub(crate) run: &'w PlannedRun,
    pub(crate) place: usize,
    pub(crate) id: ExecutionId,
    pub(crate) execution: &'w Execution,
    pub(crate) is_deleted: bool,
}

impl Ended<'_> {
    fn violation(&self, text: &str) -> Violation {
        Violation { execution: Some(self.id), text: format!("{}: {text}", self.execution.name()) }
    }

    /// Returns everything that the run says: its result, its cause, and its report.
    fn says(&self, services: &Services) -> String {
        let mut text = match self.execution.status() {
            ExecutionStatus::Succeeded(output) => output.to_string(),
            ExecutionStatus::Failed(failure) => failure.to_string(),
            ExecutionStatus::Aborted | ExecutionStatus::Running => String::new(),
        };
        for (key, body) in services.storage.all() {
            if key.starts_with("reports/") && key.contains(self.execution.name()) {
                text += &String::from_utf8_lossy(body);
            }
        }
        text
    }
}

pub(crate) fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

fn time(job: &Value, field: &str) -> Option<Moment> {
    job[field].as_str()?.parse().ok()
}

/// Checks every invariant.
pub(crate) fn check<E>(
    plan: &Plan,
    ended: &[Ended<'_>],
    steps: &StepFunctions<E>,
    jobs: &Value,
    services: &Services,
) -> Vec<Violation> {
    let mut violations = Vec::new();
    // An upload is one run.
    if steps.executions().count() != ended.len() {
        violations.push(Violation { execution: None, text: "an upload has more or fewer than one run".to_owned() });
    }
    let named: BTreeMap<&str, usize> =
        plan.runs.iter().filter_map(|run| run.name.as_deref()).fold(BTreeMap::new(), |mut names, name| {
            *names.entry(name).or_default() += 1;
            names
        });
    for run in ended {
        let job_list = if matches!(run.run.kind, RunKind::Segment) { "segmentJobs" } else { "generationJobs" };
        let ours: Vec<&Value> =
            list(jobs, job_list).iter().filter(|job| tag(job).as_deref() == Some(run.execution.arn())).collect();
        let exports: Vec<&Value> =
            list(jobs, "exportJobs").iter().filter(|export| export["description"] == run.execution.arn()).collect();
        violations.extend(once(run, &ours, &exports));
        violations.extend(own(run, &ours));
        violations.extend(followed(run, &ours, &exports, services));
        let shares = run.run.name.as_deref().is_some_and(|name| named[name] > 1);
        if !shares && !run.is_deleted {
            violations.extend(succeeded(run, plan, &ours, &exports));
        }
        violations.extend(bounded(run));
        violations.extend(plain(run));
    }
    for (key, body) in services.storage.all() {
        let may_hold = ["seeds/", "checked/"].iter().any(|prefix| key.starts_with(prefix));
        if !may_hold && String::from_utf8_lossy(body).contains(MARKED) {
            violations.push(Violation { execution: None, text: format!("{key} holds a user id") });
        }
        // A file of a run is written once.
        if key.starts_with("checked/") && services.storage.version_count(key) > 1 {
            violations.push(Violation { execution: None, text: format!("{key} was overwritten") });
        }
    }
    violations
}

fn tag(job: &Value) -> Option<String> {
    let tags = &job["tags"];
    let value = tags["lookalike:run"].as_str().or_else(|| {
        let entry = tags.as_array()?.iter().find(|tag| tag["tagKey"] == "lookalike:run")?;
        entry["tagValue"].as_str()
    });
    value.map(str::to_owned)
}

/// At most one job that was not deleted, and at most one export of each size.
fn once(run: &Ended<'_>, ours: &[&Value], exports: &[&Value]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let left = ours.iter().filter(|job| job["deletedTime"].is_null()).count();
    if left > 1 {
        violations.push(run.violation(&format!("has {left} jobs: {}", json!(ours))));
    }
    let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
    for export in exports {
        *sizes.entry(export["audienceSize"]["value"].to_string()).or_default() += 1;
    }
    for (size, count) in sizes.into_iter().filter(|(_, count)| *count > 1) {
        violations.push(run.violation(&format!("has {count} exports of size {size}")));
    }
    violations
}

/// The job in a result was started by this run, with this run's checked seed or input.
fn own(run: &Ended<'_>, ours: &[&Value]) -> Vec<Violation> {
    let ExecutionStatus::Succeeded(output) = run.execution.status() else { return Vec::new() };
    let field =
        if matches!(run.run.kind, RunKind::Segment) { "batchSegmentJobArn" } else { "audienceGenerationJobArn" };
    let Some(job) = ours.iter().find(|job| job["arn"] == output[field]) else {
        return vec![run.violation(&format!("reports a job that it has not started: {}", output[field]))];
    };
    let is_own = match &run.run.kind {
        RunKind::Seed { .. } => job["seedS3Uri"].as_str().is_some_and(|uri| uri.contains(run.execution.name())),
        RunKind::Segment => job["inputPath"].to_string().contains(&format!("segments/input/{}/", run.place)),
    };
    if is_own { Vec::new() } else { vec![run.violation(&format!("reports a job with another seed: {job}"))] }
}

/// The run names every job and export that is active or in progress.
fn followed(run: &Ended<'_>, ours: &[&Value], exports: &[&Value], services: &Services) -> Vec<Violation> {
    if matches!(run.execution.status(), ExecutionStatus::Aborted) {
        return Vec::new();
    }
    let says = run.says(services);
    let is_left = |job: &&&Value| {
        !job["status"].as_str().is_some_and(|status| status.contains("FAILED") || status.starts_with("DELETE"))
            && job["deletedTime"].is_null()
    };
    let names =
        |job: &Value| [&job["arn"], &job["name"]].into_iter().filter_map(Value::as_str).any(|name| says.contains(name));
    let mut violations = Vec::new();
    for job in ours.iter().filter(is_left).filter(|job| !names(job)) {
        violations.push(run.violation(&format!("does not name its job {job}")));
    }
    for export in exports.iter().filter(is_left) {
        let size = format!("{}pct", export["audienceSize"]["value"]);
        if !names(export) && !says.contains(&size) {
            violations.push(run.violation(&format!("does not name its export {export}")));
        }
    }
    violations
}

/// A run whose jobs finished well before its deadline succeeded, if no outage lasted until then.
fn succeeded(run: &Ended<'_>, plan: &Plan, ours: &[&Value], exports: &[&Value]) -> Vec<Violation> {
    if matches!(run.execution.status(), ExecutionStatus::Succeeded(_)) || run.run.stopped.is_some() {
        return Vec::new();
    }
    let start = run.execution.start_time().since(BEGIN).as_secs();
    let deadline = start + plan.deadline_seconds;
    if plan.outages.iter().any(|outage| outage.to + MARGIN.unsigned_abs() > deadline) {
        return Vec::new();
    }
    let begin: Option<Moment> = BEGIN.to_string().parse().ok();
    let in_time = |job: &&Value| {
        let finished = time(job, "updateTime").zip(begin).map(|(time, begin)| time.seconds_since(begin));
        job["status"] == "ACTIVE"
            && finished.is_some_and(|finished| finished + MARGIN < i64::try_from(deadline).unwrap_or(i64::MAX))
    };
    let is_ready = !ours.is_empty() && ours.iter().all(in_time);
    let planned = match &run.run.kind {
        RunKind::Seed { export, .. } if export == "none" => 0,
        RunKind::Seed { export, .. } if export.starts_with(|c: char| c.is_ascii_digit()) => export.split(',').count(),
        RunKind::Seed { .. } => 25,
        RunKind::Segment => 0,
    };
    if !is_ready || exports.len() < planned || !exports.iter().all(in_time) {
        return never_began(run, plan, ours, exports, planned);
    }
    vec![run.violation(&format!("did not succeed, though its jobs finished in time: {:?}", run.execution.status()))]
}

/// A run without its jobs has a reason: the time was too short for the queue of jobs before it.
fn never_began(run: &Ended<'_>, plan: &Plan, ours: &[&Value], exports: &[&Value], planned: usize) -> Vec<Violation> {
    let rounds = |jobs: usize, quota: u32| jobs as u64 / u64::from(quota.max(1)) + 1;
    let all_exports = 25 * plan.runs.len();
    let needed = 2 * plan.generation_seconds * rounds(plan.runs.len(), plan.generation_quota)
        + 2 * plan.export_seconds * rounds(all_exports, plan.export_quota)
        + 180 * (all_exports + plan.runs.len()) as u64;
    let outages: u64 = plan.outages.iter().map(|outage| outage.to - outage.from).sum();
    // A check that dies three times in a row fails: its seed is taken to need more memory or time than there is.
    let died_in_check =
        matches!(run.execution.status(), ExecutionStatus::Failed(failure) if DEATHS.contains(&failure.error.as_str()));
    if (died_in_check && ours.is_empty())
        || ours.iter().any(|job| job["status"] == "CREATE_FAILED")
        || needed + outages + 14_400 > plan.deadline_seconds
    {
        return Vec::new();
    }
    let text = format!(
        "did not succeed with {} of 1 jobs and {} of {planned} exports: {:?}",
        ours.len(),
        exports.len(),
        run.execution.status()
    );
    vec![run.violation(&text)]
}

/// A history has room, and so has a state.
fn bounded(run: &Ended<'_>) -> Vec<Violation> {
    let usage = run.execution.usage();
    let mut violations = Vec::new();
    if usage.events > MAX_EVENTS {
        violations.push(run.violation(&format!("has {} events", usage.events)));
    }
    if usage.max_data_bytes > MAX_DATA_BYTES {
        violations.push(run.violation(&format!("has a state of {} bytes", usage.max_data_bytes)));
    }
    if *run.execution.status() == ExecutionStatus::Running {
        violations.push(run.violation("has not ended"));
    }
    violations
}

/// A failure has an error of Lookalike's, or of a function that died, and no user id.
fn plain(run: &Ended<'_>) -> Vec<Violation> {
    let ExecutionStatus::Failed(failure) = run.execution.status() else { return Vec::new() };
    let known = lookalike::ErrorName::ALL.iter().any(|name| name.as_str() == failure.error);
    let mut violations = Vec::new();
    if !known && !DEATHS.contains(&failure.error.as_str()) {
        violations.push(run.violation(&format!("failed with {failure}")));
    }
    if failure.to_string().contains(MARKED) {
        violations.push(run.violation("has a user id in its cause"));
    }
    violations
}
