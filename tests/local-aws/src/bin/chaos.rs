//! `cargo chaos`: many uploads under random faults; nothing may be lost, nothing doubled.

use std::process::ExitCode;

use clap::Parser;
use local_aws::{Lines, LocalAws, Result, chaos};

/// Uploads seeds while the ML service fails at random, and looks at what was started.
#[derive(Debug, Parser)]
#[command(name = "cargo chaos", bin_name = "cargo chaos --")]
struct Arguments {
    /// How many seeds are uploaded.
    #[arg(long, default_value_t = 100)]
    runs: usize,
    /// What chance is drawn from: give the printed one to play a case again.
    #[arg(long)]
    seed: Option<u64>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let plan = chaos::Plan { runs: arguments.runs, seed: arguments.seed.unwrap_or_else(|| fastrand::u64(..1_000_000)) };
    match rounds(plan).await {
        Ok(outcome) => {
            println!("{outcome}");
            if outcome.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("With the seed {}: {error}", plan.seed);
            ExitCode::FAILURE
        }
    }
}

async fn rounds(plan: chaos::Plan) -> Result<chaos::Outcome> {
    println!("{} uploads, drawn from the seed {}", plan.runs, plan.seed);
    let aws = LocalAws::start(&plan.options(), &Lines).await?;
    let mut last = String::new();
    chaos::run(&aws, plan, |line| {
        if line != last {
            eprintln!("{line}");
            line.clone_into(&mut last);
        }
    })
    .await
}
