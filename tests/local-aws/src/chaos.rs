//! Many uploads, repeated events and random faults; and what must be true after them, whatever happened: one execution
//! for each upload, at most one job for each run (that nobody deleted) and one export for each of its sizes, every run
//! ended, and every bad end with an error of ours.
//!
//! Uploads, repetitions and faults are drawn from a seed, each fault by the job and the call that it strikes, so a case
//! can be played again.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt, fs,
    time::{Duration, Instant},
};

use aws_sdk_sfn::types::ExecutionStatus;
use futures_util::future;
use lookalike::{ErrorName, execution::Moment};
use serde_json::{Value, json};

use crate::{Error, Execution, LocalAws, Options, Result, workspace::root};

/// How many runs are under way at once: more than the emulated quota lets through.
const MOST_RUNNING: usize = 24;

/// How often the runs are looked at.
const POLL: Duration = Duration::from_millis(500);

/// How many uploads, and what chance is drawn from.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many seeds are uploaded.
    pub runs: usize,
    /// What everything random is drawn from.
    pub seed: u64,
}

impl Plan {
    /// A stack whose ML service fails at random. Waits and retries take a fiftieth of their time.
    #[must_use]
    pub fn options(&self) -> Options {
        let call = |operation: &str, probability: f64, fault: Value| json!({"operation": operation, "probability": probability, "fault": fault});
        let mut faults = Vec::new();
        // A start that fails and is not performed is unknown for a quarter of an hour: the simulation has these.
        for start in ["StartAudienceGenerationJob", "StartAudienceExportJob"] {
            faults.extend([
                call(start, 0.10, json!({"kind": "acceptThenDrop"})),
                call(start, 0.10, json!({"kind": "acceptThenError"})),
                call(start, 0.10, json!({"kind": "error", "error": "ThrottlingException"})),
                call(start, 0.03, json!({"kind": "fails", "statusCode": "INTERNAL", "message": "An internal error."})),
                call(start, 0.05, json!({"kind": "unknownStatus", "seconds": 1})),
                call(start, 0.01, json!({"kind": "stuck"})),
            ]);
        }
        faults.push(call("StartAudienceGenerationJob", 0.03, json!({"kind": "deletedMidway"})));
        for read in ["GetAudienceGenerationJob", "ListAudienceGenerationJobs", "ListAudienceExportJobs"] {
            for fault in [
                json!({"kind": "error", "error": "ThrottlingException"}),
                json!({"kind": "error", "error": "InternalServerException"}),
                json!({"kind": "dropBefore"}),
            ] {
                faults.push(call(read, 0.05, fault));
            }
        }
        faults.push(json!({"fault": {"kind": "pageSize", "entries": 7}}));
        faults.push(json!({"fault": {"kind": "listDelay", "seconds": 3}}));
        // A job that is stuck takes up a place for ever.
        let quota = 8 + self.runs / 25;
        let emulator = json!({
            "generationSeconds": 1, "exportSeconds": 0.5,
            "maxGenerationJobsInFlight": quota, "maxExportJobsInFlight": quota,
            "faults": faults, "faultSeed": self.seed,
        });
        Options { wait_scale: 0.02, emulator, ..Options::default() }
            .parameter("PollMinSeconds", "25")
            .parameter("PollMaxSeconds", "25")
            .parameter("DeadlineSeconds", "45")
    }

    /// What lies under the key of an upload: mostly a good seed, and how it is to be exported.
    fn upload(&self, number: usize, seeds: &[String; 3]) -> (String, &'static str) {
        let mut chance = self.chance(number);
        let seed = if chance.f64() < 0.05 { &seeds[2] } else { &seeds[chance.usize(..2)] };
        let export = *chance.choice(&["none", "1pct", "1pct,5pct", "relevance>=0.3"]).unwrap_or(&"none");
        (seed.clone(), export)
    }

    /// How often the event of an upload is delivered again, at the same time.
    fn repetitions(&self, number: usize) -> usize {
        self.chance(number).fork().usize(..4)
    }

    fn chance(&self, number: usize) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed ^ (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

/// What came of a plan.
#[derive(Clone, Debug)]
pub struct Outcome {
    plan: Plan,
    took: Duration,
    repeated: usize,
    executions: usize,
    succeeded: usize,
    failed: BTreeMap<String, usize>,
    generations: usize,
    again: usize,
    exports: usize,
    struck: BTreeMap<String, u64>,
    /// Everything that must be true and is not.
    pub broken: Vec<String>,
}

/// Uploads, repeats, waits for every end, and looks at what was started.
pub async fn run(aws: &LocalAws, plan: Plan, mut tell: impl FnMut(&str)) -> Result<Outcome> {
    let began = Instant::now();
    let data = |name: &str| {
        let path = root().join("tests/data").join(name);
        fs::read_to_string(&path).map_err(|e| Error::file("read", &path, &e))
    };
    let seeds = [data("seed-runners.jsonl")?, data("seed-cooks.jsonl")?, data("seed-broken.jsonl")?];
    // No run can take longer than its deadline, and there are as many waves of them as do not fit at once.
    let bound = Duration::from_mins(3) * u32::try_from(plan.runs / MOST_RUNNING + 2).unwrap_or(u32::MAX);
    let mut known: HashMap<String, Execution> = HashMap::new();
    let (mut uploaded, mut repeated) = (0, 0);
    loop {
        let now = aws.executions().await?;
        let ended = now.iter().filter(|(_, ended)| *ended).count();
        tell(&format!("{uploaded} uploaded, {ended} ended"));
        for (arn, _) in &now {
            if !known.contains_key(arn) {
                let execution = aws.execution(arn).await?;
                let times = number_of(&execution).map_or(0, |number| plan.repetitions(number));
                let event = event_again(&execution);
                let again = (0..times).map(|_| aws.send_message("UploadQueue", &event));
                future::try_join_all(again).await?;
                repeated += times;
                known.insert(arn.clone(), execution);
            }
        }
        if uploaded == plan.runs && ended == now.len() && ended >= plan.runs {
            break;
        }
        if began.elapsed() > bound {
            let what = format!("{uploaded} uploads, {} executions, {ended} ended", now.len());
            return Err(Error::new(format!("not every run ended within {} s: {what}", bound.as_secs())));
        }
        let room = MOST_RUNNING.saturating_sub(uploaded.saturating_sub(ended)).min(plan.runs - uploaded);
        for number in uploaded..uploaded + room {
            let (seed, export) = plan.upload(number, &seeds);
            // Faults are drawn by the job's name: a name of our own makes a case the same each time.
            let name = format!("chaos-{number:04}");
            aws.upload(&key(number), seed, &[("export", export), ("name", &name)]).await?;
        }
        uploaded += room;
        tokio::time::sleep(POLL).await;
    }
    // A repeated event could still start something.
    aws.wait_for_empty_queue("UploadQueue", Duration::from_mins(2)).await?;
    let executions = aws.executions().await?.len();
    if executions != known.len() {
        return Err(Error::new(format!("repeated events started {} executions", executions - known.len())));
    }
    for execution in known.values_mut() {
        *execution = aws.execution(&execution.arn).await?;
    }
    let jobs = aws.emulator("_emulator/jobs").await?;
    let faults = aws.emulator("_emulator/faults").await?;
    Ok(judge(plan, &known, &jobs, &faults, repeated, began.elapsed()))
}

fn key(number: usize) -> String {
    format!("seeds/chaos/{number:04}.jsonl")
}

fn number_of(execution: &Execution) -> Option<usize> {
    execution.uploaded_key()?.strip_prefix("seeds/chaos/")?.strip_suffix(".jsonl")?.parse().ok()
}

/// The event that started an execution, delivered once more.
fn event_again(execution: &Execution) -> Value {
    let upload = &execution.input["upload"];
    json!({
        "version": "0", "id": "again", "detail-type": "Object Created", "source": "aws.s3", "account": "000000000000",
        "time": "2026-11-22T16:00:00Z", "region": "us-east-1", "resources": [],
        "detail": {"bucket": {"name": upload["bucket"]}, "object": {
            "key": upload["key"], "etag": upload["etag"], "sequencer": upload["sequencer"],
            "version-id": upload["versionId"], "size": upload["size"]}},
    })
}

fn judge(
    plan: Plan,
    executions: &HashMap<String, Execution>,
    jobs: &Value,
    faults: &Value,
    repeated: usize,
    took: Duration,
) -> Outcome {
    let mut broken = Vec::new();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let (generations, exports) = (list(&jobs["generationJobs"]), list(&jobs["exportJobs"]));

    let mut of_upload: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut succeeded, mut failed) = (0, BTreeMap::<String, usize>::new());
    for execution in executions.values() {
        *of_upload.entry(execution.uploaded_key().unwrap_or_default()).or_default() += 1;
        let error = execution.error.as_deref().unwrap_or_default();
        match execution.status {
            ExecutionStatus::Succeeded => {
                succeeded += 1;
                let answer = execution.output.as_ref().map_or(&Value::Null, |output| &output["exports"]);
                if !answer.is_array() || list(answer).iter().any(|export| export["status"] != "ACTIVE") {
                    broken.push(format!("{} succeeded without all of its exports: {answer}", execution.name));
                }
            }
            _ => *failed.entry(error.to_owned()).or_default() += 1,
        }
        // Each run has a name of its own.
        if error == ErrorName::Conflict.as_str() {
            broken.push(format!("{} found its name in use", execution.name));
        }
        if execution.status != ExecutionStatus::Succeeded && !ErrorName::ALL.iter().any(|name| name.as_str() == error) {
            broken.push(format!("{} ended as {} with {error:?}", execution.name, execution.status));
        }
    }
    for number in 0..plan.runs {
        let count = of_upload.get(key(number).as_str()).copied().unwrap_or_default();
        if count != 1 {
            broken.push(format!("{} has {count} executions", key(number)));
        }
    }

    // A job that is deleted before a lost answer was looked for cannot be told from one that was never started. So each
    // but the last may be deleted, if that was before the next one was started.
    let mut of_run: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for job in &generations {
        of_run.entry(job["tags"]["lookalike:run"].to_string()).or_default().push(job);
    }
    let mut again = 0;
    for (run, jobs) in &mut of_run {
        let moment = |job: &Value, field: &str| job[field].as_str().and_then(|time| time.parse::<Moment>().ok());
        jobs.sort_by(|a, b| moment(a, "createTime").partial_cmp(&moment(b, "createTime")).unwrap_or(Ordering::Equal));
        again += jobs.len() - 1;
        for pair in jobs.windows(2) {
            if !moment(pair[0], "deletedTime").is_some_and(|gone| Some(gone) <= moment(pair[1], "createTime")) {
                broken.push(format!("two jobs of {run} at once: {}", json!(pair)));
            }
        }
    }
    let mut of_size: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for export in &exports {
        let size = format!("{} {}", export["audienceGenerationJobArn"], export["audienceSize"]);
        of_size.entry(size).or_default().push(export);
    }
    for (of, jobs) in &of_size {
        if jobs.len() != 1 {
            broken.push(format!("{} jobs for {of}: {}", jobs.len(), json!(jobs)));
        }
    }
    // A run that failed names each job that possibly still runs, or whose result exists.
    let is_left =
        |job: &Value| job["status"].as_str().is_some_and(|status| !matches!(status, "CREATE_FAILED" | "DELETED"));
    for execution in executions.values().filter(|execution| execution.status != ExecutionStatus::Succeeded) {
        let cause = execution.cause.as_deref().unwrap_or_default();
        for job in of_run.get(&json!(execution.arn).to_string()).into_iter().flatten().filter(|job| is_left(job)) {
            let named = |field: &str| job[field].as_str().is_some_and(|name| cause.contains(name));
            if !named("arn") && !named("name") {
                broken.push(format!("{} does not name its job {}", execution.name, job["name"]));
            }
            for export in
                exports.iter().filter(|export| export["audienceGenerationJobArn"] == job["arn"] && is_left(export))
            {
                let size = export["audienceSize"]["value"].to_string() + "pct";
                if !cause.contains(&size) {
                    broken.push(format!("{} does not name its export {}", execution.name, export["name"]));
                }
            }
        }
    }
    let runs: BTreeSet<String> = executions.keys().map(|arn| json!(arn).to_string()).collect();
    broken.extend(of_run.keys().filter(|run| !runs.contains(*run)).map(|run| format!("a job of no run: {run}")));

    let mut struck: BTreeMap<String, u64> = BTreeMap::new();
    for fault in list(&faults["faults"]) {
        let kind = fault["fault"]["kind"].as_str().unwrap_or_default();
        let error = fault["fault"]["error"].as_str().map_or_else(String::new, |error| format!(" {error}"));
        *struck.entry(format!("{kind}{error}")).or_default() += fault["struck"].as_u64().unwrap_or_default();
    }
    Outcome {
        plan,
        took,
        repeated,
        executions: executions.len(),
        succeeded,
        failed,
        generations: generations.len(),
        again,
        exports: exports.len(),
        struck,
        broken,
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { runs, seed } = self.plan;
        writeln!(f, "{runs} uploads in {:.0} s, drawn from the seed {seed}", self.took.as_secs_f64())?;
        writeln!(f, "  {:>5}  events delivered again", self.repeated)?;
        writeln!(f, "  {:>5}  executions", self.executions)?;
        writeln!(f, "  {:>5}  generation jobs started", self.generations)?;
        writeln!(f, "  {:>5}  of them after a deletion that came before a lost answer was looked for", self.again)?;
        writeln!(f, "  {:>5}  exports started", self.exports)?;
        writeln!(f, "  {:>5}  runs ended well", self.succeeded)?;
        for (error, count) in &self.failed {
            writeln!(f, "  {count:>5}  runs ended as {error}")?;
        }
        writeln!(f, "Faults that struck")?;
        for (kind, count) in &self.struck {
            writeln!(f, "  {count:>5}  {kind}")?;
        }
        writeln!(f, "{}", if self.broken.is_empty() { "Nothing lost, nothing doubled." } else { "BROKEN" })?;
        self.broken.iter().try_for_each(|broken| writeln!(f, "  {broken}"))
    }
}
