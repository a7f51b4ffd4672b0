//! `cargo measure`: how fast and how small, beside what a user would pick instead, in one run on one machine.
//!
//! `cargo measure functions` (or `seeds`, `polling`, `workflow`) does a part; `--save` makes this run the baseline.

mod function;
mod peers;
mod polling;
mod runtime_api;
mod seeds;
mod server;
mod services;
mod table;
mod workflow;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::function::{Cold, Function};
use crate::polling::Schedule;
use crate::seeds::Way;
use crate::services::Services;
use crate::table::{Row, Table};

/// Whatever went wrong, for a person to read.
type Failure = Box<dyn std::error::Error>;

const COLD_RUNS: usize = 25;
const WARM_RUNS: usize = 1_000;
const SEED_RUNS: usize = 15;

/// Bytes a second of a download: more than a function of this size is known to get from S3.
const NETWORK: u32 = 100_000_000;

/// The longest fixed wait, in seconds, that notices ends as promptly as is promised: what `cargo measure polling` finds.
const PROMPT: f64 = 13.0;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, file, way] = arguments.as_slice()
        && mode == "read-seed"
    {
        return seeds::read(file, way);
    }
    let parts: Vec<&str> = arguments.iter().map(String::as_str).filter(|word| !word.starts_with("--")).collect();
    let wanted = |part| parts.is_empty() || parts.contains(&part);
    let exe = std::env::current_exe()?;
    let bootstraps = exe.parent().ok_or("this program lies nowhere")?;
    let folder = bootstraps.join("measure");
    std::fs::create_dir_all(&folder)?;
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));

    let mut table = Table::default();
    table.notes.push(machine());
    if wanted("functions") {
        measure_functions(&mut table, bootstraps, &folder)?;
    }
    if wanted("seeds") {
        measure_seeds(&mut table, &exe, &folder)?;
    }
    if wanted("polling") {
        simulate_polling(&mut table, &here.join("polling.svg"))?;
    }
    if wanted("workflow") {
        count_workflow(&mut table)?;
    }
    table.notes.push(format!("Load after it: {}", load()));
    let baseline = here.join("baseline.json");
    table.print(&baseline)?;
    table.save(&folder.join("figures.json"))?;
    if arguments.iter().any(|word| word == "--save") {
        table.save(&baseline)?;
    }
    Ok(())
}

fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let names: Vec<&str> =
        cpus.lines().filter(|line| line.starts_with("model name")).filter_map(|line| line.split(": ").nth(1)).collect();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let name = names.first().copied().unwrap_or("an unknown processor");
    format!("Machine: {} × {name}, Linux {}. Load before it: {}", names.len(), kernel.trim(), load())
}

/// The load of the last minute, five and fifteen: more than the processors that are there blurs every figure.
fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    milliseconds(times.get(times.len() / 2).copied().unwrap_or_default())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Medians in milliseconds.
struct Start {
    init: f64,
    first_answer: f64,
    first_event: f64,
}

impl Start {
    fn of(runs: &[Cold]) -> Self {
        let of = |part: fn(&Cold) -> Duration| median(runs.iter().map(part).collect());
        Self {
            init: of(|run| run.init),
            first_answer: of(|run| run.first_answer),
            first_event: of(|run| run.first_event),
        }
    }
}

/// The median of warm answers without what the services took, and the peaks of memory after a tenth and after all.
fn warm(function: &Function, services: &Services, roots: Option<&Path>) -> Result<(f64, u64, u64), Failure> {
    let (running, _) = function.start(services, roots)?;
    let (mut times, mut early) = (Vec::new(), 0);
    for run in 0..WARM_RUNS {
        if run == WARM_RUNS / 10 {
            early = running.peak_memory()?;
        }
        services.took();
        let answer = running.invoke(&function.event)?;
        times.push(answer.took.saturating_sub(services.took()));
    }
    Ok((median(times), early, running.peak_memory()?))
}

#[allow(clippy::cast_precision_loss)]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1_000_000.0
}

/// Leaves this process, and those that it starts from now on, these processors. On two that rest, half of what is
/// measured is how long the other takes to wake.
fn pin(processors: &str) -> Result<(), Failure> {
    for thread in std::fs::read_dir("/proc/self/task")? {
        let thread = thread?.file_name();
        let mut taskset = Command::new("taskset");
        taskset.args(["--pid", "--cpu-list", processors]).arg(thread).stdout(std::process::Stdio::null());
        if !taskset.status()?.success() {
            return Err("taskset, of util-linux, cannot choose the processors".into());
        }
    }
    Ok(())
}

fn measure_functions(table: &mut Table, bootstraps: &Path, folder: &Path) -> Result<(), Failure> {
    let names =
        [("start-generation", "audienceGenerationJobArn"), ("check-status", "RUNNING"), ("start-export", "-5pct")];
    // check-request is the largest bootstrap; it is not run here.
    peers::build(&[names[0].0, names[1].0, names[2].0, "check-request", "echo"])?;
    let mut ours = Vec::new();
    for (name, expected) in names {
        ours.push(peers::function(bootstraps, name, expected)?);
    }
    let start_generation = peers::function(bootstraps, names[0].0, names[0].1)?;
    let echo = peers::echo(bootstraps, &start_generation);
    let boto3 = peers::boto3(peers::python(folder)?, &start_generation);
    let plain = Services::start(None)?;
    let (tls, roots) = services::tls(folder)?;
    let secret = Services::start(Some(tls))?;

    let all = std::thread::available_parallelism()?.get();
    pin("0")?;
    // Side by side: whatever else the machine does falls on all of them.
    let mut runs: BTreeMap<&str, Vec<Cold>> = BTreeMap::new();
    let mut over_tls = Vec::new();
    for _ in 0..COLD_RUNS {
        for function in ours.iter().chain([&echo, &boto3]) {
            runs.entry(function.name).or_default().push(function.start(&plain, None)?.1);
        }
        over_tls.push(start_generation.start(&secret, Some(&roots))?.1);
    }
    let calls = plain.calls();
    let knocks = calls.iter().filter(|call| call.starts_with("HEAD")).count();
    table.notes.push(format!("Calls of {COLD_RUNS} starts of all: {}, of which knocks: {knocks}", calls.len()));

    let mut sizes = Vec::new();
    for name in names.map(|(name, _)| name).into_iter().chain(["check-request", "echo"]) {
        let bytes = std::fs::metadata(bootstraps.join(name))?.len();
        table.figure(format!("{name} megabytes"), megabytes(bytes));
        sizes.push((bytes, name));
    }
    let mut peaks = Vec::new();
    for function in ours.iter().chain([&echo, &boto3]) {
        let start = Start::of(&runs[function.name]);
        let (warm, early, peak) = warm(function, &plain, None)?;
        let name = function.name;
        table.figure(format!("{name} init ms"), start.init);
        table.figure(format!("{name} first answer ms"), start.first_answer);
        table.figure(format!("{name} first event ms"), start.first_event);
        table.figure(format!("{name} warm ms"), warm);
        table.figure(format!("{name} peak MB"), megabytes(peak));
        table.figure(format!("{name} growth MB"), megabytes(peak.saturating_sub(early)));
        peaks.push(megabytes(peak));
    }
    let tls = Start::of(&over_tls);
    let (tls_warm, _, _) = warm(&start_generation, &secret, Some(&roots))?;
    pin(&format!("0-{}", all - 1))?;
    table.figure("start-generation over TLS init ms", tls.init);
    table.figure("start-generation over TLS first answer ms", tls.first_answer);
    table.figure("start-generation over TLS first event ms", tls.first_event);
    table.figure("start-generation over TLS warm ms", tls_warm);
    rows_of_functions(table, sizes.iter().max().copied().unwrap_or_default());
    Ok(())
}

fn rows_of_functions(table: &mut Table, (largest, its_name): (u64, &str)) {
    let of = |figure: &str| table.figures.get(figure).copied().unwrap_or(f64::NAN);
    let (first, floor, python) =
        (of("start-generation first answer ms"), of("echo first answer ms"), of("boto3 first answer ms"));
    let row = |what: &str, target: &str, peer: String, measured: String, ratio: String, reached| Row {
        what: what.to_owned(),
        target: target.to_owned(),
        peer,
        measured,
        ratio,
        reached,
    };
    let (tls_first, tls_warm) =
        (of("start-generation over TLS first event ms"), of("start-generation over TLS warm ms"));
    let (warm, echo_warm) = (of("start-generation warm ms"), of("echo warm ms"));
    let names = ["start-generation", "check-status", "start-export"];
    let most = |figure: &str| names.map(|name| of(&format!("{name} {figure}"))).into_iter().fold(0.0, f64::max);
    let (peak, growth) = (most("peak MB"), most("growth MB"));
    let largest = megabytes(largest);
    let rows = vec![
        row(
            "`start-generation`, process start to first answer",
            "≤ 3 × the floor",
            format!("echo {floor:.1} ms"),
            format!("{first:.1} ms"),
            format!("{:.1} ×", first / floor),
            first <= 3.0 * floor,
        ),
        row(
            "the same beside Python",
            "≥ 80 × faster",
            format!("boto3 {python:.0} ms"),
            format!("{first:.1} ms"),
            format!("{:.0} ×", python / first),
            python >= 80.0 * first,
        ),
        row(
            "over TLS: first event beyond a warm one",
            "≤ 2 ms",
            format!("warm {tls_warm:.2} ms"),
            format!("{tls_first:.2} ms"),
            format!("+{:.2} ms", tls_first - tls_warm),
            tls_first - tls_warm <= 2.0,
        ),
        row(
            &format!("largest bootstrap ({its_name})"),
            "≤ 6.5 MB",
            format!("echo {:.2} MB", of("echo megabytes")),
            format!("{largest:.2} MB"),
            format!("{:.1} ×", largest / of("echo megabytes")),
            largest <= 6.5,
        ),
        row(
            "largest peak memory after 1,000 invocations",
            "≤ 12 MB, flat",
            format!("echo {:.1} MB, boto3 {:.0} MB", of("echo peak MB"), of("boto3 peak MB")),
            format!("{peak:.1} MB, +{growth:.2} MB since the 100th"),
            format!("{:.1} ×", peak / of("echo peak MB")),
            peak <= 12.0 && growth <= 0.5,
        ),
        row(
            "warm answer beyond the services' own time (two calls)",
            "≤ 0.3 ms",
            format!("echo {echo_warm:.2} ms, boto3 {:.1} ms", of("boto3 warm ms")),
            format!("{warm:.2} ms"),
            format!("{:.1} ×", warm / echo_warm),
            warm <= 0.3,
        ),
    ];
    table.rows.extend(rows);
}

fn measure_seeds(table: &mut Table, exe: &Path, folder: &Path) -> Result<(), Failure> {
    let seed = folder.join("seed.jsonl");
    seeds::write(&seed)?;
    let ours = |way: Way| {
        let mut command = Command::new(exe);
        command.arg("read-seed").arg(&seed).arg(way.word());
        command
    };
    let network = seeds::serve(&seed, NETWORK)?;
    let from_network = |way: Way| {
        let mut command = Command::new(exe);
        command.arg("read-seed").arg(network.to_string()).arg(way.word());
        command
    };
    let mut python = Command::new("python3");
    python.arg(peers::peers().join("read_seed.py")).arg(&seed);
    let mut sort = Command::new("sort");
    sort.env("LC_ALL", "C").arg("-u").arg("-o").arg(folder.join("sorted")).arg(&seed);
    let mut count = Command::new("wc");
    count.env("LC_ALL", "C").arg("-l").arg(&seed);
    let mut commands = [
        ("count", ours(Way::Count)),
        ("clean", ours(Way::Clean)),
        ("python", python),
        ("sort -u", sort),
        ("wc -l", count),
        ("downloaded", from_network(Way::Take)),
        ("downloaded and cleaned", from_network(Way::Clean)),
    ];
    let mut times: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    let mut peak = 0_u64;
    for _ in 0..SEED_RUNS {
        for (name, command) in &mut commands {
            let (took, printed) = seeds::time(command)?;
            times.entry(name).or_default().push(took);
            if matches!(*name, "count" | "clean") {
                let mut words = printed.split_whitespace();
                if words.next() != Some("500000") {
                    return Err(format!("a seed of 500,000 users is read as {printed}").into());
                }
                peak = peak.max(words.next().unwrap_or_default().parse()?);
            }
        }
    }
    for (name, times) in times {
        table.figure(format!("seed: {name} ms"), median(times));
    }
    table.figure("seed: peak MB", megabytes(peak));
    let of = |figure: &str| table.figures.get(&format!("seed: {figure}")).copied().unwrap_or(f64::NAN);
    let ours = of("count ms").max(of("clean ms"));
    let size = megabytes(std::fs::metadata(&seed)?.len());
    let measured = format!("{:.0} ms counted, {:.0} ms cleaned", of("count ms"), of("clean ms"));
    let note = format!(
        "A seed of {size:.1} MB; wc -l takes {:.0} ms; the slower of our ways reads {:.0} MB/s.",
        of("wc -l ms"),
        1_000.0 * size / ours
    );
    let peers = [("python ms", "Python loop", 20.0), ("sort -u ms", "`sort -u`", 5.0)];
    let mut rows: Vec<Row> = peers
        .iter()
        .map(|(figure, peer, times)| Row {
            what: "reading a seed of 500,000 users".to_owned(),
            target: format!("≥ {times} × faster"),
            peer: format!("{peer} {:.0} ms", of(figure)),
            measured: measured.clone(),
            ratio: format!("{:.1} ×", of(figure) / ours),
            reached: of(figure) >= times * ours,
        })
        .collect();
    rows.push(Row {
        what: "its peak memory, the whole process".to_owned(),
        target: "< 24 MB".to_owned(),
        peer: String::new(),
        measured: format!("{:.1} MB", megabytes(peak)),
        ratio: String::new(),
        reached: megabytes(peak) < 24.0,
    });
    let (alone, read) = (of("downloaded ms"), of("downloaded and cleaned ms"));
    rows.push(Row {
        what: "the same while it comes, 100 MB a second".to_owned(),
        target: "never slower than the download".to_owned(),
        peer: format!("the download alone {alone:.0} ms"),
        measured: format!("{read:.0} ms"),
        ratio: format!("{:.2} ×", read / alone),
        // What is left to do when the last byte has come.
        reached: read <= 1.05 * alone,
    });
    table.rows.extend(rows);
    table.notes.push(note);
    Ok(())
}

#[allow(clippy::cast_precision_loss)]
fn simulate_polling(table: &mut Table, plot: &Path) -> Result<(), Failure> {
    let (least, most) = polling::STACK;
    let schedules = [
        Schedule::of_shared(least, most)?,
        Schedule::fixed(60.0),
        Schedule::fixed(120.0),
        Schedule::backoff(60.0, 1.02),
    ];
    let mut peers = Vec::new();
    for schedule in &schedules {
        let (at, noticed) = schedule.worst();
        let looks = schedule.with(polling::LONGEST as f64).looks;
        table.notes.push(format!(
            "{}: mean delay at most {:.1} % (jobs of {:.0} min; the worst there {:.1} %); {looks} looks in 24 h",
            schedule.name,
            100.0 * noticed.mean,
            at / 60.0,
            100.0 * noticed.worst
        ));
        peers.push(format!("{}: {:.0} %, {looks} looks", schedule.name, 100.0 * noticed.mean));
    }
    let ours = schedules[0].worst().1;
    let looks = schedules[0].with(polling::LONGEST as f64).looks;
    table.figure("polling: largest mean delay %", 100.0 * ours.mean);
    table.figure("polling: looks in 24 h", looks as f64);
    // The fixed wait that keeps the promise, and the bounds that would, by trying.
    let fixed = (1..60).rev().map(|wait| Schedule::fixed(f64::from(wait))).find(|fixed| fixed.worst().1.mean <= 0.06);
    if let Some(fixed) = fixed {
        let looks = fixed.with(polling::LONGEST as f64).looks;
        table
            .notes
            .push(format!("The longest fixed wait that keeps the promise: {}, {looks} looks in 24 h", fixed.name));
    }
    for least in (1..=least).rev() {
        let schedule = Schedule::of_shared(least, most)?;
        if schedule.worst().1.mean <= 0.06 {
            let looks = schedule.with(polling::LONGEST as f64).looks;
            table.notes.push(format!("The largest PollMinSeconds that keeps it: {least}, {looks} looks in 24 h"));
            break;
        }
    }
    table.rows.push(Row {
        what: "noticing an ended job of 2 min to 24 h: mean delay, and looks at the longest".to_owned(),
        target: "≤ 6 % everywhere, ≤ 200 looks".to_owned(),
        peer: peers.split_off(1).join("; "),
        measured: format!("{:.1} %, {looks} looks", 100.0 * ours.mean),
        ratio: String::new(),
        reached: ours.mean <= 0.06 && looks <= 200,
    });
    polling::plot(&schedules, plot)
}

/// How long a run's exports take, in minutes: it is not documented, and much hangs on it.
const EXPORTS: [f64; 3] = [10.0, 30.0, 60.0];

fn count_workflow(table: &mut Table) -> Result<(), Failure> {
    const SIZES: u32 = 3;
    /// What a call of a service takes in AWS, in seconds: assumed, for nothing here can measure it.
    const SERVICE: f64 = 0.05;
    let read =
        |path: PathBuf| -> Result<serde_json::Value, Failure> { Ok(serde_json::from_slice(&std::fs::read(path)?)?) };
    let ours = read(peers::root().join("statemachine/audience.asl.json"))?;
    let peer = read(peers::peers().join("sdk-integrations.asl.json"))?;
    let schedule = Schedule::of_shared(polling::STACK.0, polling::STACK.1)?;
    for minutes in EXPORTS {
        let (generation, export) = (schedule.with(3_600.0).looks, schedule.with(60.0 * minutes).looks);
        let our_run = workflow::follow(
            &ours,
            &BTreeMap::from([
                ("IsThereAnAudience", (0, "", "StartGeneration")),
                ("IsGenerationStarted", (1, "CheckGeneration", "")),
                ("IsGenerationReady", (generation - 1, "WaitForGeneration", "StartExports")),
                ("AreExportsComplete", (export - 1, "WaitForExports", "WriteReport")),
                ("HasRunSucceeded", (1, "AudienceReady", "")),
            ]),
            SIZES,
        )?;
        // The peer waits before it looks, so its first look is the second of a schedule.
        let peer_run = |wait: f64| {
            let fixed = Schedule::fixed(wait);
            let ways = BTreeMap::from([
                ("IsGenerationReady", (fixed.with(3_600.0).looks - 2, "WaitForGeneration", "ExportEachSize")),
                ("IsExportReady", (fixed.with(60.0 * minutes).looks - 2, "WaitForExport", "Exported")),
            ]);
            workflow::follow(&peer, &ways, SIZES)
        };
        let (minutely, as_prompt) = (peer_run(60.0)?, peer_run(PROMPT)?);
        let own = table.figures.get("check-status warm ms").copied().unwrap_or(1.0) / 1_000.0;
        let seconds = own + SERVICE;
        table.figure(format!("workflow: transitions, exports of {minutes} min"), f64::from(our_run.transitions));
        let calls = f64::from(our_run.function_calls);
        table.rows.push(Row {
            what: format!("a run of 3 sizes, generation 1 h, exports {minutes} min"),
            target: "fewer transitions".to_owned(),
            peer: format!(
                "SDK integrations: every 60 s {} transitions, ${:.4}; every {PROMPT} s, as prompt as ours, {}, ${:.4}",
                minutely.transitions,
                minutely.dollars(0.0),
                as_prompt.transitions,
                as_prompt.dollars(0.0)
            ),
            measured: format!(
                "{} transitions, {calls} function calls of {:.1} ms of their own ({:.1} s in all where a service takes \
                 {:.0} ms), ${:.4}",
                our_run.transitions,
                own * 1_000.0,
                calls * seconds,
                SERVICE * 1_000.0,
                our_run.dollars(seconds)
            ),
            ratio: format!("{:.2} ×", f64::from(our_run.transitions) / f64::from(minutely.transitions)),
            reached: our_run.transitions < minutely.transitions,
        });
    }
    Ok(())
}
