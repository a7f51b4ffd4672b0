//! A function as Lambda runs it: a process with a Runtime API of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Failure;
use crate::runtime_api::{Answer, RuntimeApi};
use crate::services::Services;

/// What to run, and what it is asked.
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<PathBuf>,
    pub(crate) environment: Vec<(&'static str, String)>,
    pub(crate) event: String,
    /// What its answer holds.
    pub(crate) expected: &'static str,
}

/// The first answer of a process.
pub(crate) struct Cold {
    /// From the start of the process until it asks for an event.
    pub(crate) init: Duration,
    /// From the start of the process until its first answer.
    pub(crate) first_answer: Duration,
    /// From the first event until its answer.
    pub(crate) first_event: Duration,
}

impl Function {
    /// A process of it that has given its first answer.
    pub(crate) fn start(&self, services: &Services, roots: Option<&Path>) -> Result<(Running, Cold), Failure> {
        let api = RuntimeApi::start()?;
        api.send(&self.event)?;
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", api.address().to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", self.name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "g")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "s")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_ENDPOINT_URL", services.url())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        if let Some(roots) = roots {
            command.env("SSL_CERT_FILE", roots);
        }
        let began = Instant::now();
        let child = command.spawn().map_err(|error| format!("{}: {error}", self.program.display()))?;
        let running = Running { child, api };
        let ready = running.api.ready()?;
        let first = running.api.answer()?;
        if !String::from_utf8_lossy(&first.body).contains(self.expected) {
            return Err(format!("{} answers {}", self.name, String::from_utf8_lossy(&first.body)).into());
        }
        let cold = Cold { init: ready - began, first_answer: first.at - began, first_event: first.took };
        Ok((running, cold))
    }
}

/// A process that is ended when this is dropped.
pub(crate) struct Running {
    child: Child,
    api: RuntimeApi,
}

impl Running {
    /// One more invocation.
    pub(crate) fn invoke(&self, event: &str) -> Result<Answer, Failure> {
        self.api.send(event)?;
        self.api.answer()
    }

    /// The most memory that it has held, in bytes.
    pub(crate) fn peak_memory(&self) -> Result<u64, Failure> {
        peak_memory(&std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The peak of a process's memory, as its status in /proc says it.
pub(crate) fn peak_memory(status: &str) -> Result<u64, Failure> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
}
