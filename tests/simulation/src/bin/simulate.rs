//! `cargo simulate`: runs the workflows and functions in many worlds, each drawn from one random seed.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use clap::Parser;
use simulation::plan::Plan;
use simulation::shrink::shrink;
use simulation::world::{self, Outcome};

/// Runs the workflows and functions in virtual time, with faults, and checks what must be true.
#[derive(Debug, Parser)]
#[command(name = "cargo simulate", bin_name = "cargo simulate --")]
struct Arguments {
    /// How many executions are simulated, at least.
    #[arg(long, default_value_t = 1_000)]
    runs: u64,
    /// The random seed of the first world; the next one has the next number.
    #[arg(long, default_value_t = 1)]
    random_seed: u64,
    /// How many threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

#[derive(Default)]
struct Total {
    worlds: u64,
    executions: u64,
    succeeded: u64,
    failed: BTreeMap<String, u64>,
    faults: BTreeMap<&'static str, u64>,
    max_events: u32,
    max_data_bytes: usize,
    /// The random seeds of worlds that violate an invariant, with the violations.
    violations: Vec<(u64, Vec<String>)>,
}

impl Total {
    fn add(&mut self, random_seed: u64, outcome: &Outcome) {
        self.worlds += 1;
        self.executions += outcome.executions as u64;
        self.succeeded += outcome.succeeded as u64;
        for (error, count) in &outcome.failed {
            *self.failed.entry(error.clone()).or_default() += *count as u64;
        }
        for (fault, count) in &outcome.faults {
            *self.faults.entry(fault).or_default() += count;
        }
        self.max_events = self.max_events.max(outcome.max_events);
        self.max_data_bytes = self.max_data_bytes.max(outcome.max_data_bytes);
        if !outcome.violations.is_empty() {
            let texts = outcome.violations.iter().map(|violation| violation.text.clone()).collect();
            self.violations.push((random_seed, texts));
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (begun, next, total) = (Instant::now(), AtomicU64::new(arguments.random_seed), Mutex::new(Total::default()));
    thread::scope(|scope| {
        for _ in 0..arguments.threads {
            scope.spawn(|| {
                loop {
                    let random_seed = next.fetch_add(1, Ordering::Relaxed);
                    let outcome = world::run(&Plan::draw(random_seed));
                    let Ok(mut total) = total.lock() else { return };
                    match outcome {
                        Ok(outcome) => total.add(random_seed, &outcome),
                        Err(error) => total.violations.push((random_seed, vec![error])),
                    }
                    if total.executions >= arguments.runs || total.violations.len() >= 20 {
                        return;
                    }
                }
            });
        }
    });
    let Ok(total) = total.into_inner() else { return ExitCode::FAILURE };
    print(&total, begun.elapsed().as_secs_f64());
    let Some((random_seed, _)) = total.violations.first() else { return ExitCode::SUCCESS };
    show(*random_seed);
    ExitCode::FAILURE
}

fn print(total: &Total, seconds: f64) {
    #[allow(clippy::cast_precision_loss, reason = "a rate")]
    let rate = total.executions as f64 * 60.0 / seconds;
    println!(
        "{} executions in {} worlds, {seconds:.0} s, {rate:.0} executions a minute",
        total.executions, total.worlds
    );
    println!("{:>9} succeeded", total.succeeded);
    for (error, count) in &total.failed {
        println!("{count:>9} failed as {error}");
    }
    println!("Longest history: {} events. Largest state: {} bytes.", total.max_events, total.max_data_bytes);
    println!("Injected faults:");
    for (fault, count) in &total.faults {
        println!("{count:>9} {fault}");
    }
    println!("{} worlds violate an invariant.", total.violations.len());
    for (random_seed, texts) in &total.violations {
        println!("random seed {random_seed}:");
        for text in texts {
            println!("  {text}");
        }
    }
}

/// Shows the smallest world that still violates an invariant.
fn show(random_seed: u64) {
    let plan = Plan::draw(random_seed);
    let Ok(outcome) = world::run(&plan) else { return };
    if outcome.violations.is_empty() {
        println!("The world of random seed {random_seed} violates nothing when it is repeated.");
        return;
    }
    let (plan, outcome) = shrink(&plan, outcome);
    println!("The smallest world of random seed {random_seed} that violates an invariant:\n{plan:#?}");
    for violation in &outcome.violations {
        println!("{}", violation.text);
    }
    for line in &outcome.history {
        println!("  {}", line.chars().take(600).collect::<String>());
    }
}
