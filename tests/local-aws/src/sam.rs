//! The real `sam build` and `sam deploy`, with the real template.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use serde::Deserialize;

use crate::{
    Error, Result,
    ministack::{ACCESS_KEY, REGION},
    process::{Process, guarded},
    progress::{Progress, State, Step},
    tools::{Environment, lock},
    workspace::{HOST_ARCHITECTURE, root, shield, target},
};

/// A first release build takes many minutes on a small machine.
const BUILD_BOUND: Duration = Duration::from_hours(1);
const DEPLOY_BOUND: Duration = Duration::from_mins(5);

/// The name of the stack on the local AWS.
pub const STACK: &str = "lookalike";

/// `sam` shows what cargo says only once a build has failed. Found first on the PATH, this lets it be seen as it comes.
const CARGO: &str = "#!/bin/sh\nexec \"$LOCAL_AWS_CARGO\" \"$@\" 2>>\"$LOCAL_AWS_CARGO_LOG\"\n";

/// How the functions are built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildOptions {
    /// As for a deployment to AWS, optimised; otherwise a debug build.
    pub release: bool,
    /// `x86_64` or `arm64`. Another than this machine's is linked by zig, and cannot run here.
    pub architecture: String,
}

impl Default for BuildOptions {
    fn default() -> Self {
        Self { release: false, architecture: HOST_ARCHITECTURE.to_owned() }
    }
}

/// What `sam build` made. Until it is dropped, no other process builds into the same folder.
#[derive(Debug)]
pub struct Build {
    folder: PathBuf,
    architecture: String,
    _lock: File,
}

impl Build {
    /// The binary of a function, by its logical id.
    #[must_use]
    pub fn bootstrap(&self, logical_id: &str) -> PathBuf {
        self.folder.join(logical_id).join("bootstrap")
    }
}

/// Runs `sam build`. It builds into the target folder, never into `.aws-sam`: what lies there may be about to be deployed
/// to AWS.
pub(crate) async fn build(
    sam: &Environment,
    cargo_lambda: &Environment,
    options: &BuildOptions,
    log: &Path,
    progress: &dyn Progress,
) -> Result<Build> {
    let home = target().join("local-aws/sam");
    fs::create_dir_all(&home).map_err(|e| Error::file("make", &home, &e))?;
    progress.tell(Step::Functions, &State::At("until no other process builds here"));
    let lock = lock(&home.join("lock"), BUILD_BOUND).await?;
    let folder = home.join("build");

    let cargo =
        on_path("cargo").ok_or_else(|| Error::new("cargo is not on the PATH: https://rustup.rs installs it"))?;
    let shim = home.join("bin");
    fs::create_dir_all(&shim).map_err(|e| Error::file("make", &shim, &e))?;
    let script = shim.join("cargo");
    fs::write(&script, CARGO)
        .and_then(|()| fs::set_permissions(&script, fs::Permissions::from_mode(0o755)))
        .map_err(|e| Error::file("write", &script, &e))?;

    let mut command = sam_command(sam, "build");
    command
        .arg("--build-dir")
        .arg(&folder)
        .args(["--no-cached", "--no-use-container", "--parameter-overrides"])
        .arg(format!("Architecture={}", options.architecture))
        .env("CARGO_TARGET_DIR", target())
        // What would name lines in a backtrace makes most of a debug binary, which is zipped, uploaded and unzipped.
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .env("CARGO_PROFILE_DEV_STRIP", "symbols")
        .env("LOCAL_AWS_CARGO", cargo)
        .env("LOCAL_AWS_CARGO_LOG", log);
    let mut path = vec![shim, cargo_lambda.programs()];
    if options.architecture == HOST_ARCHITECTURE {
        // The linker of this machine is there anyway, and much quicker to start than zig.
        command.env("CARGO_LAMBDA_COMPILER", "cargo");
    } else {
        path.push(cargo_lambda.zig()?);
    }
    command.env("PATH", path_with(path)?);
    if !options.release {
        command.env("SAM_BUILD_MODE", "debug");
    }
    tell_cargo(&mut command);
    Process::spawn("sam build", command, log)?.finish(BUILD_BOUND, cargo_teller(Step::Functions, progress)).await?;
    Ok(Build { folder, architecture: options.architecture.clone(), _lock: lock })
}

/// Runs `sam deploy` against the local AWS, and answers the stack's outputs.
pub(crate) async fn deploy(
    sam: &Environment,
    build: &Build,
    endpoint: &str,
    bucket: &str,
    parameters: &BTreeMap<String, String>,
    log: &Path,
    progress: &dyn Progress,
) -> Result<BTreeMap<String, String>> {
    let mut command = sam_command(sam, "deploy");
    against(&mut command, endpoint);
    command
        .arg("--template-file")
        .arg(build.folder.join("template.yaml"))
        .args(["--stack-name", STACK, "--region", REGION, "--s3-bucket", bucket, "--no-resolve-s3"])
        .args([
            "--capabilities",
            "CAPABILITY_IAM",
            "--no-confirm-changeset",
            "--no-progressbar",
            "--parameter-overrides",
        ])
        .arg(format!("Architecture={}", build.architecture))
        .args(parameters.iter().map(|(name, value)| format!("{name}={}", quoted(value))));
    Process::spawn("sam deploy", command, log)?
        .finish(DEPLOY_BOUND, |line| {
            // `CREATE_COMPLETE  AWS::Lambda::Function  StartGenerationFunction`
            let mut words = line.split_whitespace();
            if words.next().is_some_and(|status| status.ends_with("_COMPLETE"))
                && let Some(resource) = words.nth(1)
            {
                progress.tell(Step::Deploy, &State::At(resource));
            }
        })
        .await?;
    outputs(sam, endpoint)
}

fn outputs(sam: &Environment, endpoint: &str) -> Result<BTreeMap<String, String>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Output {
        output_key: String,
        output_value: String,
    }
    let mut command = Command::new(sam.program("sam"));
    shield(&mut command);
    against(&mut command, endpoint);
    command.args(["list", "stack-outputs", "--stack-name", STACK, "--region", REGION, "--output", "json"]);
    let output = command
        .current_dir(root())
        .stdin(Stdio::null())
        .output()
        .map_err(|e| Error::new(format!("sam list stack-outputs: {e}")))?;
    let outputs: Vec<Output> = serde_json::from_slice(&output.stdout)
        .map_err(|e| Error::new(format!("sam list stack-outputs: {e}\n{}", String::from_utf8_lossy(&output.stderr))))?;
    Ok(outputs.into_iter().map(|output| (output.output_key, output.output_value)).collect())
}

fn sam_command(sam: &Environment, subcommand: &str) -> Command {
    let mut command = guarded(sam.program("sam"));
    shield(&mut command);
    command
        .arg(subcommand)
        .current_dir(root())
        .env("SAM_CLI_TELEMETRY", "0")
        .env("__SAM_CLI_APP_DIR", target().join("local-aws/sam/home"))
        .env("AWS_DEFAULT_REGION", REGION);
    command
}

/// Has a command talk to the local AWS, and to no other: with keys that open nothing else, and no profile of anybody's.
fn against(command: &mut Command, endpoint: &str) {
    command
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY.0)
        .env("AWS_SECRET_ACCESS_KEY", ACCESS_KEY.1)
        .env("AWS_REGION", REGION)
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("SAM_CLI_TELEMETRY", "0")
        .env("__SAM_CLI_APP_DIR", target().join("local-aws/sam/home"))
        // Seconds between two looks at a deployment that takes two.
        .env("SAM_CLI_POLL_DELAY", "0.5");
}

/// Has cargo draw its progress bar though nobody sees it: its numbers are read off it.
pub(crate) fn tell_cargo(command: &mut Command) {
    command
        .env("CARGO_TERM_PROGRESS_WHEN", "always")
        .env("CARGO_TERM_PROGRESS_WIDTH", "100")
        .env("CARGO_TERM_COLOR", "never");
}

/// Turns what cargo and sam say into progress.
pub(crate) fn cargo_teller(step: Step, progress: &dyn Progress) -> impl FnMut(&str) {
    move |line| {
        let line = line.trim_start();
        if let Some((done, all, at)) = counted(line) {
            progress.tell(step, &State::Counted { done, all, at });
        } else if let Some((_, functions)) = line.split_once("functions: ") {
            progress.tell(step, &State::At(functions));
        } else if line.starts_with("Blocking waiting for file lock") {
            progress.tell(step, &State::At("waiting for another cargo"));
        }
    }
}

/// `Building [====>   ] 23/188: aws-lc-sys, tokio` in numbers.
fn counted(line: &str) -> Option<(u64, u64, &str)> {
    let (_, rest) = line.strip_prefix("Building [")?.split_once(']')?;
    let (done, rest) = rest.trim_start().split_once('/')?;
    let (all, at) = rest.split_once(':').unwrap_or((rest, ""));
    Some((done.parse().ok()?, all.trim().parse().ok()?, at.trim()))
}

/// A value for `--parameter-overrides`, which splits at spaces and takes quotes.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}

fn path_with(first: Vec<PathBuf>) -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::join_paths(first.into_iter().chain(env::split_paths(&path)))
        .map_err(|e| Error::new(format!("the target folder's path cannot be on the PATH: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargos_progress_bar_is_read() {
        assert_eq!(counted("Building [====>    ] 23/188: ring, tokio"), Some((23, 188, "ring, tokio")));
        assert_eq!(counted("Building [         ] 0/188"), Some((0, 188, "")));
        assert_eq!(counted("Compiling ring v0.17.0"), None);
    }

    #[test]
    fn a_parameter_may_hold_json() {
        assert_eq!(quoted(r#"{"sizes": 1}"#), r#""{\"sizes\": 1}""#);
    }
}
