//! `cargo demo`: a seed goes in, an audience comes out, on this machine alone.
//!
//! It brings up the local AWS, uploads a seed to the stack's bucket as a person would, follows the execution that this
//! starts, and shows what came of it. Everything is taken down in the end, unless `--keep` is said.

mod report;
mod screen;
mod segment;

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Parser;
use local_aws::{ACCESS_KEY, BuildOptions, Error, Execution, LocalAws, Options, REGION, Result, root, target};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::{report::Report, screen::Screen, segment::Segments};

/// The seed that is uploaded where none is named.
const SAMPLE_SEED: &str = "tests/data/seed-runners.jsonl";

/// The input of a segment job that is uploaded where none is named.
const SAMPLE_INPUT: &str = "tests/data/segment-items.jsonl";

/// How long the emulated jobs take: long enough to watch, short enough to wait.
const GENERATION_SECONDS: u32 = 8;
const EXPORT_SECONDS: u32 = 3;
const SEGMENT_SECONDS: u32 = 5;

/// How often the run is looked at.
const POLL: Duration = Duration::from_millis(200);

/// The upload starts an execution in a fraction of a second; the run takes some twenty seconds.
const START_BOUND: Duration = Duration::from_secs(30);
const RUN_BOUND: Duration = Duration::from_mins(10);

/// Runs Lookalike on this machine: uploads a seed, follows the run, shows the audiences.
#[derive(Debug, Parser)]
#[command(name = "cargo demo", bin_name = "cargo demo --")]
struct Arguments {
    /// A seed of your own: JSON Lines, `{"user_id": "…"}` each. With --segment an input: `{"itemId": "…"}` each, or
    /// `{"itemAttributes": "…"}`.
    seed: Option<PathBuf>,
    /// A segment of Amazon Personalize instead of an audience of Clean Rooms ML.
    #[arg(long, conflicts_with = "sizes")]
    segment: bool,
    /// What to export: `all`, `none`, sizes as in `5pct,10pct`, or a relevance as in `relevance>=0.7`.
    #[arg(long)]
    sizes: Option<String>,
    /// Leave everything running until Ctrl-C.
    #[arg(long)]
    keep: bool,
    /// Build the functions as for AWS: optimised, which takes minutes.
    #[arg(long)]
    release: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let screen = Screen::new();
    let arguments = Arguments::parse();
    let outcome = tokio::select! {
        outcome = demo(&arguments, &screen) => outcome,
        () = interrupted() => {
            screen.close();
            eprintln!("\nInterrupted; everything is taken down.");
            return ExitCode::from(130);
        }
    };
    screen.close();
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("\nThe demo failed: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn demo(arguments: &Arguments, screen: &Screen) -> Result<ExitCode> {
    let sample = if arguments.segment { SAMPLE_INPUT } else { SAMPLE_SEED };
    let path = arguments.seed.clone().unwrap_or_else(|| root().join(sample));
    let seed = fs::read(&path).map_err(|e| Error::new(format!("cannot read {}: {e}", path.display())))?;
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();

    screen.say("Lookalike on this machine: a local AWS, emulated ML services, the real stack.\n");
    let options = Options {
        build: BuildOptions { release: arguments.release, ..BuildOptions::default() },
        emulator: json!({
            "generationSeconds": GENERATION_SECONDS, "exportSeconds": EXPORT_SECONDS, "segmentSeconds": SEGMENT_SECONDS,
        }),
        ..Options::default()
    }
    .parameter("PollMinSeconds", "1")
    .parameter("PollMaxSeconds", "5");
    let aws = LocalAws::start(&options, screen).await?;

    let key = if arguments.segment {
        segment::upload(&aws, &file, seed).await?
    } else {
        let metadata: Vec<_> = arguments.sizes.as_deref().map(|sizes| ("export", sizes)).into_iter().collect();
        let key = format!("seeds/{file}");
        aws.upload(&key, seed, &metadata).await?;
        key
    };
    screen.say(&format!("\n  {file} is uploaded to s3://{}/{key}\n", aws.output("SeedBucketName")?));

    let started = Instant::now();
    let execution = aws.wait_for_upload(&key, START_BOUND).await?;
    let execution = follow(&aws, execution, screen).await?;
    let took = started.elapsed();
    screen.close();

    let told = match &execution.output {
        None => Err(report::failure(&execution)),
        Some(output) if arguments.segment => Segments::of(&aws, output).await?.map(|segments| segments.to_string()),
        Some(output) => Report::of(&aws, output).await?.map(|report| report.to_string()),
    };
    let code = if told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    let (Ok(told) | Err(told)) = told;
    println!("\n{told}");
    let report = saved_report(&aws, &execution).await?;
    if let Some((file, _)) = &report {
        println!("The report, for a browser: {}\n", file.display());
    }
    println!("{}", times(&screen.times(), took));
    if arguments.keep {
        println!("{}", invitation(&aws, &execution)?);
        if let Some((_, address)) = report {
            println!("The report, served:             {address}\n");
        }
        std::future::pending::<()>().await;
    }
    Ok(code)
}

/// The run's report, where it has one: copied to where it outlives the local AWS, and its web address until then.
async fn saved_report(aws: &LocalAws, execution: &Execution) -> Result<Option<(PathBuf, String)>> {
    let place = format!("s3://{}/{}index.html", aws.output("SeedBucketName")?, execution.report_folder());
    if aws.list(&place).await?.is_empty() {
        return Ok(None);
    }
    let file = target().join("demo").join(&execution.name).with_extension("html");
    let page = aws.read(&place).await?;
    fs::create_dir_all(target().join("demo"))
        .and_then(|()| fs::write(&file, page))
        .map_err(|e| Error::new(format!("cannot write {}: {e}", file.display())))?;
    Ok(Some((file, aws.web_address(&place).await?)))
}

/// Shows each state as the run enters it first, and each job as it starts, until the run ends.
async fn follow(aws: &LocalAws, mut execution: Execution, screen: &Screen) -> Result<Execution> {
    let began = execution.started;
    let bound = Instant::now() + RUN_BOUND;
    let (mut told, mut seen, mut calls) = (0, HashSet::new(), 0);
    loop {
        // In this order: what happened before the end has been told when the end is seen.
        let running = aws.execution(&execution.arn).await?;
        let ended = running.stopped.is_some();
        execution = running;

        let entered = aws.history(&execution.arn).await?;
        let states = entered.iter().skip(told).map(|entered| (entered.at, entered.state.clone(), None));
        let received = aws.calls().await?;
        let starts = received
            .iter()
            .skip(calls)
            .filter(|call| ["Start", "Create"].iter().any(|start| call.operation.starts_with(start)));
        let starts = starts.filter_map(|call| Some((call.at()?, format!("  {}", call.operation), call.name.clone())));
        let mut news: Vec<_> = states.chain(starts).collect();
        news.sort_by_key(|(at, _, _)| *at);
        for (at, what, name) in news {
            // A job of another upload's is another run's.
            if name.as_deref().is_some_and(|name| !name.starts_with(&execution.name)) {
                continue;
            }
            if name.is_some() || seen.insert(what.clone()) {
                screen.at(at.duration_since(began).unwrap_or_default(), &what, name.as_deref().unwrap_or_default());
            } else {
                screen.now(&what);
            }
        }
        (told, calls) = (entered.len(), received.len());

        if ended {
            return Ok(execution);
        }
        if Instant::now() > bound {
            return Err(Error::new(format!("{} has not ended within {} s", execution.arn, RUN_BOUND.as_secs())));
        }
        tokio::time::sleep(POLL).await;
    }
}

fn times(steps: &BTreeMap<local_aws::Step, Duration>, run: Duration) -> String {
    let steps = steps.iter().map(|(step, took)| (step.title(), *took)).chain([("From upload to result", run)]);
    let lines = steps.map(|(what, took)| format!("  {what:<40}{:>8.1} s\n", took.as_secs_f64()));
    format!("Time\n{}", lines.collect::<String>())
}

/// What a person may try while everything runs.
fn invitation(aws: &LocalAws, execution: &Execution) -> Result<String> {
    let seed = Path::new("tests/data/seed-cooks.jsonl");
    Ok(format!(
        "Everything runs until Ctrl-C. In another terminal, with the AWS CLI:\n
  export AWS_ENDPOINT_URL={endpoint} AWS_DEFAULT_REGION={REGION}
  export AWS_ACCESS_KEY_ID={key} AWS_SECRET_ACCESS_KEY={secret}

  aws s3 cp {seed} s3://{bucket}/seeds/ --metadata export=5pct
  aws stepfunctions list-executions --state-machine-arn {machine}
  aws stepfunctions describe-execution --execution-arn {arn}
  aws s3 ls --recursive s3://{bucket}/

What the ML service was asked:  curl {emulator}/_emulator/calls
The logs:                       {logs}\n",
        endpoint = aws.endpoint(),
        key = ACCESS_KEY.0,
        secret = ACCESS_KEY.1,
        seed = root().join(seed).display(),
        bucket = aws.output("SeedBucketName")?,
        machine = aws.output("AudienceStateMachineArn")?,
        arn = execution.arn,
        emulator = aws.emulator_endpoint(),
        logs = aws.logs().display(),
    ))
}

/// Waits for Ctrl-C, or for being told to end.
async fn interrupted() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Without handlers the signal ends us, and the guards end the rest.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
