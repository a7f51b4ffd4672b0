//! What happens in a world: drawn from one random seed.

use fastrand::Rng;

/// A time in a world, in seconds from its begin.
pub type Seconds = u64;

/// The failure of a service for a while.
#[derive(Clone, Debug)]
pub struct Outage {
    /// When it begins.
    pub from: Seconds,
    /// When it ends.
    pub to: Seconds,
    /// The operation that fails, or `None` if all do.
    pub operation: Option<&'static str>,
    /// The HTTP status that the service answers; 0 if the connection breaks.
    pub status: u16,
}

/// How often each fault of one call happens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rates {
    /// A call to a service is throttled.
    pub throttled: f64,
    /// A call to a service fails and was not performed.
    pub failed: f64,
    /// A call is performed, and its answer is lost.
    pub lost: f64,
    /// A call to start a job is not answered, and accepted later.
    pub late: f64,
    /// A function is throttled.
    pub not_invoked: f64,
    /// A function dies before its first call.
    pub died_before: f64,
    /// A function dies after its last call.
    pub died_after: f64,
    /// A function does not answer before the task's timeout.
    pub silent: f64,
}

/// One upload, or another begin of a run.
#[derive(Clone, Debug)]
pub struct PlannedRun {
    /// When it is uploaded.
    pub at: Seconds,
    /// What is uploaded.
    pub kind: RunKind,
    /// The name in the request. `None` for a derived one.
    pub name: Option<String>,
    /// When its event arrives again, after the upload.
    pub repeated: Vec<Seconds>,
    /// When the execution is stopped, after the upload, and after how long it is redriven.
    pub stopped: Option<(Seconds, Seconds)>,
    /// When its job is deleted, after the upload.
    pub deleted: Option<Seconds>,
}

/// The kind of a run.
#[derive(Clone, Debug)]
pub enum RunKind {
    /// A seed with this export policy.
    Seed {
        /// `export`.
        export: String,
        /// Whether the model belongs to another account.
        is_foreign: bool,
    },
    /// A segment request.
    Segment,
}

/// A world.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The random seed that it was drawn from.
    pub random_seed: u64,
    /// The runs.
    pub runs: Vec<PlannedRun>,
    /// The outages.
    pub outages: Vec<Outage>,
    /// The faults of single calls.
    pub rates: Rates,
    /// The lag of every list, in seconds.
    pub list_lag: u64,
    /// The most seconds until a late call is accepted.
    pub max_late: u64,
    /// The skew of the functions' clock, in seconds.
    pub function_skew: i64,
    /// The skew of the services' clock, in seconds.
    pub service_skew: i64,
    /// The quota of generation jobs in flight.
    pub generation_quota: u32,
    /// The quota of exports in flight.
    pub export_quota: u32,
    /// How long a generation job takes, in seconds, about.
    pub generation_seconds: u64,
    /// How long an export takes, in seconds, about.
    pub export_seconds: u64,
    /// The stack's `DeadlineSeconds`.
    pub deadline_seconds: u64,
    /// `PollMinSeconds` and `PollMaxSeconds`.
    pub poll: (u32, u32),
    /// Whether jobs of another account's model show no tags.
    pub drops_tags: bool,
}

const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;

/// The operations that an outage may concern.
const OPERATIONS: [&str; 11] = [
    "StartAudienceGenerationJob",
    "GetAudienceGenerationJob",
    "ListAudienceGenerationJobs",
    "StartAudienceExportJob",
    "ListAudienceExportJobs",
    "GetConfiguredAudienceModel",
    "CreateBatchSegmentJob",
    "DescribeBatchSegmentJob",
    "ListBatchSegmentJobs",
    "ListTagsForResource",
    "S3",
];

impl PlannedRun {
    /// Returns an upload of a seed at this time, with this export policy.
    #[must_use]
    pub fn seed(at: Seconds, export: &str) -> Self {
        let kind = RunKind::Seed { export: export.to_owned(), is_foreign: false };
        Self { at, kind, name: None, repeated: Vec::new(), stopped: None, deleted: None }
    }
}

impl Plan {
    /// Returns a world without faults: jobs take an hour, exports ten minutes.
    #[must_use]
    pub fn calm(runs: Vec<PlannedRun>) -> Self {
        Self {
            random_seed: 7,
            runs,
            outages: Vec::new(),
            rates: Rates::default(),
            list_lag: 0,
            max_late: 0,
            function_skew: 0,
            service_skew: 0,
            generation_quota: 10,
            export_quota: 20,
            generation_seconds: HOUR,
            export_seconds: 10 * MINUTE,
            deadline_seconds: 48 * HOUR,
            poll: (13, 900),
            drops_tags: false,
        }
    }

    /// Draws a world.
    #[must_use]
    pub fn draw(random_seed: u64) -> Self {
        let mut rng = Rng::with_seed(random_seed);
        let rng = &mut rng;
        let is_calm = rng.f64() < 0.15;
        let rate = |rng: &mut Rng, max: f64| if is_calm || rng.bool() { 0.0 } else { rng.f64() * max };
        let rates = Rates {
            throttled: rate(rng, 0.10),
            failed: rate(rng, 0.08),
            lost: rate(rng, 0.08),
            late: rate(rng, 0.30),
            not_invoked: rate(rng, 0.05),
            died_before: rate(rng, 0.04),
            died_after: rate(rng, 0.06),
            silent: rate(rng, 0.02),
        };
        let count = 1 + rng.usize(..8);
        let span = if rng.bool() { MINUTE } else { 3 * HOUR };
        let shares_names = rng.f64() < 0.25;
        let runs = (0..count).map(|number| planned_run(rng, number, span, shares_names, is_calm)).collect();
        let outages = if is_calm { 0 } else { rng.usize(..4) };
        let outages = (0..outages).map(|_| outage(rng)).collect();
        let deadline_seconds = HOUR * *rng.choice(&[4, 12, 24, 48, 72]).unwrap_or(&48);
        let poll_min = *rng.choice(&[1, 13, 60]).unwrap_or(&13);
        Self {
            random_seed,
            runs,
            outages,
            rates,
            list_lag: if is_calm || rng.bool() { 0 } else { rng.u64(..=300) },
            max_late: rng.u64(1..=120),
            function_skew: rng.i64(-60..=60),
            service_skew: rng.i64(-60..=60),
            generation_quota: *rng.choice(&[1, 2, 3, 10]).unwrap_or(&10),
            export_quota: *rng.choice(&[1, 3, 20]).unwrap_or(&20),
            generation_seconds: rng.u64(MINUTE..=2 * HOUR),
            export_seconds: rng.u64(MINUTE..=HOUR),
            deadline_seconds,
            poll: (poll_min, *rng.choice(&[60, 900]).unwrap_or(&900)),
            drops_tags: rng.bool(),
        }
    }
}

fn planned_run(rng: &mut Rng, number: usize, span: u64, shares_names: bool, is_calm: bool) -> PlannedRun {
    let kind = match rng.u32(..10) {
        0 | 1 => RunKind::Segment,
        2 => RunKind::Seed { export: export(rng), is_foreign: true },
        _ => RunKind::Seed { export: export(rng), is_foreign: false },
    };
    let name = if shares_names && rng.bool() {
        Some("shared".to_owned())
    } else {
        rng.bool().then(|| format!("given-{number}"))
    };
    let repeated = (0..rng.usize(..3)).map(|_| rng.u64(..HOUR)).collect();
    let stopped = (!is_calm && rng.f64() < 0.06).then(|| (rng.u64(..2 * HOUR), rng.u64(MINUTE..2 * HOUR)));
    let deleted = (!is_calm && rng.f64() < 0.04).then(|| rng.u64(MINUTE..4 * HOUR));
    PlannedRun { at: rng.u64(..span), kind, name, repeated, stopped, deleted }
}

fn export(rng: &mut Rng) -> String {
    match rng.u32(..8) {
        0 => "none".to_owned(),
        1 => "all".to_owned(),
        2 => "relevance>=0.5".to_owned(),
        _ => {
            let mut sizes: Vec<u32> = (1..=25).collect();
            rng.shuffle(&mut sizes);
            sizes.truncate(rng.usize(1..=5));
            sizes.iter().map(|size| format!("{size}pct")).collect::<Vec<_>>().join(",")
        }
    }
}

fn outage(rng: &mut Rng) -> Outage {
    let from = rng.u64(..6 * HOUR);
    let length = if rng.bool() { rng.u64(1..10 * MINUTE) } else { rng.u64(1..=6 * HOUR) };
    let operation = if rng.f64() < 0.3 { None } else { rng.choice(&OPERATIONS).copied() };
    Outage { from, to: from + length, operation, status: *rng.choice(&[0, 500, 503, 429]).unwrap_or(&500) }
}
