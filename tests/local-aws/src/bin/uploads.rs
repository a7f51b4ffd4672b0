//! `cargo uploads`: what a run costs where 1, 10, 100 and 200 seeds are uploaded at once. Prints a table.

use std::fs;
use std::ops::Range;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures_util::future;
use local_aws::{Error, Lines, LocalAws, Options, Result, root};
use serde_json::json;

const AT_ONCE: [usize; 4] = [1, 10, 100, 200];

/// How long a batch may take: the local AWS is one process.
const BOUND: Duration = Duration::from_mins(15);

/// The calls of the service that are counted: the table's generations, exports, looks and look-ups.
const CALLS: [&[&str]; 4] = [
    &["StartAudienceGenerationJob"],
    &["StartAudienceExportJob"],
    &["GetAudienceGenerationJob", "ListAudienceExportJobs"],
    &["ListAudienceGenerationJobs"],
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match measure().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure() -> Result<()> {
    // A quota would be waited for, which costs by how long others take. Waits take a fifth of their time, so that the
    // local AWS, which is one process, keeps up.
    let emulator = json!({
        "generationSeconds": 30, "exportSeconds": 20, "maxGenerationJobsInFlight": 1000, "maxExportJobsInFlight": 1000,
    });
    let options = Options { wait_scale: 0.2, emulator, ..Options::default() };
    let options = options.parameter("PollMinSeconds", "50").parameter("PollMaxSeconds", "50");
    let aws = LocalAws::start(&options, &Lines).await?;
    let path = root().join("tests/data/seed-cooks.jsonl");
    let seed = fs::read_to_string(&path).map_err(|e| Error::new(format!("cannot read {}: {e}", path.display())))?;
    println!(
        "| uploads at once | executions | transitions a run, Maps' insides aside | generations | exports | looks | look-ups | all ended after |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let mut before = 0;
    for count in AT_ONCE {
        println!("{}", batch(&aws, &seed, before..before + count).await?);
        before += count;
    }
    Ok(())
}

/// Uploads so many seeds at once, waits until their runs have ended, and tells what each cost.
async fn batch(aws: &LocalAws, seed: &str, numbers: Range<usize>) -> Result<String> {
    let calls_before = aws.calls().await?.len();
    let began = Instant::now();
    let keys: Vec<String> = numbers.clone().map(|number| format!("seeds/at-once-{number}.jsonl")).collect();
    let metadata = [("export", "1pct,5pct")];
    future::try_join_all(keys.iter().map(|key| aws.upload(key, seed, &metadata))).await?;
    let executions = loop {
        let executions = aws.executions().await?;
        if executions.len() >= numbers.end && executions.iter().all(|(_, ended)| *ended) {
            break executions;
        }
        if began.elapsed() > BOUND {
            return Err(Error::new(format!("{} uploads have not ended within {BOUND:?}", numbers.len())));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    let took = began.elapsed().as_secs();
    let started = executions.len() - numbers.start;
    let (mut least, mut most) = (usize::MAX, 0);
    for (arn, _) in &executions[..started] {
        let execution = aws.execution(arn).await?;
        if let Some(error) = execution.error {
            return Err(Error::new(format!("{arn} ended as {error}: {}", execution.cause.unwrap_or_default())));
        }
        let transitions = aws.history(arn).await?.len();
        (least, most) = (least.min(transitions), most.max(transitions));
    }
    let received = aws.calls().await?;
    let calls = CALLS.map(|operations| {
        let of_these = received[calls_before..].iter().filter(|call| operations.contains(&call.operation.as_str()));
        a_run(of_these.count(), numbers.len())
    });
    Ok(format!("| {} | {started} | {least} to {most} | {} | {took} s |", numbers.len(), calls.join(" | ")))
}

#[allow(clippy::cast_precision_loss)]
fn a_run(calls: usize, runs: usize) -> String {
    format!("{:.2}", calls as f64 / runs as f64)
}
