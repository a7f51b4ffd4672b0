//! The Python tools: installed into the target folder when they are first needed, each in a virtual environment of its
//! own, because they pin versions against one another.

use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    Error, Result,
    process::{Process, guarded},
    workspace::{shield, target},
};

/// How long an installation may take, and how long another process's may be waited for.
const INSTALL_BOUND: Duration = Duration::from_mins(15);

/// The oldest Python that every pinned package takes.
const PYTHON: (u32, u32) = (3, 11);

/// A tool, or a few that go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// `ministack`, the local AWS. Its environment has boto3 too.
    MiniStack,
    /// `sam`, the AWS SAM CLI.
    Sam,
    /// `cargo-lambda`, and `zig` for linking.
    CargoLambda,
    /// `sfnx` and `cfn-lint`, which check state machines and templates.
    Checks,
    /// `cargo-deny`, which checks the crates.
    CargoDeny,
    /// The validator of `CycloneDX`.
    CycloneDx,
    /// `checkov`, which checks a template for risks.
    Checkov,
}

impl Tool {
    /// What [`crate::LocalAws`] needs.
    pub const LOCAL_AWS: [Self; 3] = [Self::MiniStack, Self::Sam, Self::CargoLambda];

    fn name(self) -> &'static str {
        match self {
            Self::MiniStack => "ministack",
            Self::Sam => "aws-sam-cli",
            Self::CargoLambda => "cargo-lambda",
            Self::Checks => "checks",
            Self::CargoDeny => "cargo-deny",
            Self::CycloneDx => "cyclonedx",
            Self::Checkov => "checkov",
        }
    }

    fn requirements(self) -> &'static str {
        match self {
            Self::MiniStack => include_str!("../tools/ministack.txt"),
            Self::Sam => include_str!("../tools/aws-sam-cli.txt"),
            Self::CargoLambda => include_str!("../tools/cargo-lambda.txt"),
            Self::Checks => include_str!("../tools/checks.txt"),
            Self::CargoDeny => include_str!("../tools/cargo-deny.txt"),
            Self::CycloneDx => include_str!("../tools/cyclonedx.txt"),
            Self::Checkov => include_str!("../tools/checkov.txt"),
        }
    }

    /// Installs the tool where it is missing, and answers its virtual environment.
    pub async fn install(self) -> Result<Environment> {
        self.install_telling(|_| {}).await
    }

    /// As [`Tool::install`], telling each thing that pip says.
    pub async fn install_telling(self, mut tell: impl FnMut(&str)) -> Result<Environment> {
        let python = python_version()?;
        let parent = target().join("tools");
        // Other requirements, another Python, a checkout that moved: another environment. A present one is never changed.
        let mut hasher = DefaultHasher::new();
        (self.requirements(), &python, &parent).hash(&mut hasher);
        let folder = parent.join(format!("{}-{:016x}", self.name(), hasher.finish()));
        let environment = Environment { folder: folder.clone() };

        fs::create_dir_all(&parent).map_err(|e| Error::file("make", &parent, &e))?;
        let _lock = lock(&folder.with_extension("lock"), INSTALL_BOUND).await?;
        // Written last: a folder without it is an installation that did not come to its end.
        let complete = folder.join("complete");
        if complete.exists() {
            return Ok(environment);
        }
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(|e| Error::file("remove", &folder, &e))?;
        }

        let log = folder.with_extension("log");
        let mut venv = guarded("python3");
        venv.args(["-m", "venv"]).arg(&folder);
        shield(&mut venv);
        Process::spawn("python3 -m venv", venv, &log)?
            .finish(INSTALL_BOUND, &mut tell)
            .await
            .map_err(|e| Error::new(format!("{e}\nOn Debian and Ubuntu: apt install python3-venv")))?;

        let requirements = folder.join("requirements.txt");
        fs::write(&requirements, self.requirements()).map_err(|e| Error::file("write", &requirements, &e))?;
        let mut pip = guarded(environment.program("python"));
        pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--require-hashes"])
            // The list is whole: there is nothing to resolve.
            .args(["--no-deps", "--requirement"])
            .arg(&requirements);
        shield(&mut pip);
        Process::spawn(&format!("pip install ({})", self.name()), pip, &log)?.finish(INSTALL_BOUND, &mut tell).await?;
        fs::write(&complete, "").map_err(|e| Error::file("write", &complete, &e))?;
        Ok(environment)
    }
}

/// A virtual environment in which a [`Tool`] is installed.
#[derive(Clone, Debug)]
pub struct Environment {
    folder: PathBuf,
}

impl Environment {
    /// The path of a program of it: `sam`, or `python`.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs().join(name)
    }

    /// The folder of its programs.
    #[must_use]
    pub fn programs(&self) -> PathBuf {
        self.folder.join("bin")
    }

    /// The folder of `zig`, which its package does not put among the programs.
    pub fn zig(&self) -> Result<PathBuf> {
        let lib = self.folder.join("lib");
        fs::read_dir(&lib)
            .map_err(|e| Error::file("read", &lib, &e))?
            .flatten()
            .map(|python| python.path().join("site-packages/ziglang"))
            .find(|ziglang| ziglang.join("zig").exists())
            .ok_or_else(|| {
                Error::new(format!("no zig below {}: remove {} and try again", lib.display(), self.folder.display()))
            })
    }
}

/// The version of `python3`, where it is there and new enough.
fn python_version() -> Result<String> {
    let wanted = format!("Python {}.{} or newer is needed, as python3 on the PATH", PYTHON.0, PYTHON.1);
    let output = Command::new("python3")
        .args(["-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"])
        .stdin(Stdio::null())
        .output()
        .map_err(|e| Error::new(format!("{wanted}: {e}")))?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let mut parts = version.split('.').map_while(|part| part.parse::<u32>().ok());
    match (parts.next(), parts.next()) {
        (Some(major), Some(minor)) if (major, minor) >= PYTHON => Ok(version),
        _ => Err(Error::new(format!("{wanted}: this one is {version:?}"))),
    }
}

/// Holds a file's lock until dropped: one process at a time.
pub(crate) async fn lock(path: &Path, bound: Duration) -> Result<File> {
    let file = File::create(path).map_err(|e| Error::file("write", path, &e))?;
    let started = Instant::now();
    while file.try_lock().is_err() {
        if started.elapsed() > bound {
            let seconds = bound.as_secs();
            return Err(Error::new(format!(
                "another process has held {} for {seconds} s: end it, then try again",
                path.display()
            )));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(file)
}
