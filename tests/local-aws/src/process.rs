//! Child processes that cannot outlive us.
//!
//! Each one leads a process group of its own, and in the group sits a guard: a shell that reads from a pipe whose other
//! end only we hold. When we end for whatever reason (dropped, panicked, Ctrl-C, `kill -9`), the pipe closes, the guard
//! wakes and kills its group: the process, and whatever that had started (`MiniStack`'s running functions, cargo's rustc).

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use crate::{Error, Result};

/// The guard waits in the background; then the shell becomes the program, so that our child is the program itself.
const GUARDED: &str = r#"exec 3<&0 </dev/null; (read -r _ <&3; kill -KILL 0) & exec 3<&-; exec "$0" "$@""#;

/// How often a process and its log are looked at.
const POLL: Duration = Duration::from_millis(50);

/// How much of a log an error shows.
const TAIL_LINES: usize = 20;

/// A command that runs under a guard. Give it arguments and an environment, then [`Process::spawn`] it.
pub(crate) fn guarded(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(GUARDED).arg(program);
    command
}

/// A running child process, its guard and its log. Dropping it ends the whole group.
#[derive(Debug)]
pub(crate) struct Process {
    what: String,
    child: Child,
    guard: Option<ChildStdin>,
    log: PathBuf,
    /// How far the log has been read.
    read: u64,
}

impl Process {
    /// Starts a [`guarded`] command. What it says is appended to `log`; `what` is its name in messages.
    pub(crate) fn spawn(what: &str, mut command: Command, log: &Path) -> Result<Self> {
        let out = OpenOptions::new().create(true).append(true).open(log).map_err(|e| Error::file("write", log, &e))?;
        let read = out.metadata().map_or(0, |m| m.len());
        let err = out.try_clone().map_err(|e| Error::file("write", log, &e))?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(out)
            .stderr(err)
            .process_group(0)
            .spawn()
            .map_err(|e| Error::new(format!("cannot start {what}: {e}")))?;
        let guard = child.stdin.take();
        Ok(Self { what: what.to_owned(), child, guard, log: log.to_owned(), read })
    }

    /// Waits until the process has ended well, and hands on each line it says meanwhile.
    pub(crate) async fn finish(mut self, bound: Duration, mut on_line: impl FnMut(&str)) -> Result<()> {
        let started = Instant::now();
        loop {
            let ended = self.ended()?;
            self.new_lines().iter().for_each(|line| on_line(line));
            match ended {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(self.failure(&format!("failed ({status})"))),
                None if started.elapsed() > bound => {
                    return Err(self.failure(&format!("did not end within {} s", bound.as_secs())));
                }
                None => tokio::time::sleep(POLL).await,
            }
        }
    }

    /// Waits until `ready` answers something: what a server says once it can be used.
    pub(crate) async fn until<T>(
        &mut self,
        bound: Duration,
        mut ready: impl AsyncFnMut(&Path) -> Option<T>,
    ) -> Result<T> {
        let started = Instant::now();
        loop {
            if let Some(answer) = ready(&self.log).await {
                return Ok(answer);
            }
            if let Some(status) = self.ended()? {
                return Err(self.failure(&format!("ended before it was ready ({status})")));
            }
            if started.elapsed() > bound {
                return Err(self.failure(&format!("was not ready within {} s", bound.as_secs())));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().map_err(|e| Error::new(format!("cannot wait for {}: {e}", self.what)))
    }

    /// Whole lines that have come since the last look; cargo's progress bar ends its lines with a carriage return.
    fn new_lines(&mut self) -> Vec<String> {
        let mut bytes = Vec::new();
        let read = File::open(&self.log).and_then(|mut log| {
            log.seek(SeekFrom::Start(self.read))?;
            log.read_to_end(&mut bytes)
        });
        let Some(end) = bytes.iter().rposition(|b| matches!(b, b'\n' | b'\r')).filter(|_| read.is_ok()) else {
            return Vec::new();
        };
        self.read += end as u64 + 1;
        String::from_utf8_lossy(&bytes[..end])
            .split(['\n', '\r'])
            .map(|line| line.trim_end().to_owned())
            .filter(|line| !line.is_empty())
            .collect()
    }

    fn failure(&self, how: &str) -> Error {
        Error::new(format!("{} {how}. The end of {}:\n{}", self.what, self.log.display(), tail(&self.log)))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.guard.take());
        // The guard has it ended at once; only reaping is left.
        let _ = self.child.wait();
    }
}

/// The last lines of a log, indented; cargo's progress bars are left out.
fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text
        .split(['\n', '\r'])
        .map(str::trim_end)
        .filter(|line| !line.is_empty() && !line.trim_start().starts_with("Building ["))
        .collect();
    let start = lines.len().saturating_sub(TAIL_LINES);
    lines[start..].iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log in a folder that ends with the test.
    fn log() -> Result<(tempfile::TempDir, PathBuf)> {
        let folder = tempfile::tempdir().map_err(|e| Error::new(e.to_string()))?;
        let log = folder.path().join("log");
        Ok((folder, log))
    }

    fn sh(script: &str) -> Command {
        let mut command = guarded("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn a_command_hands_on_its_lines_and_those_of_a_progress_bar() -> Result<()> {
        let (_folder, log) = log()?;
        let mut lines = Vec::new();
        let process = Process::spawn("it", sh(r"echo one; printf 'two\rthree\n'"), &log)?;
        process.finish(Duration::from_secs(10), |line| lines.push(line.to_owned())).await?;
        assert_eq!(lines, ["one", "two", "three"]);
        Ok(())
    }

    #[tokio::test]
    async fn a_failure_shows_the_end_of_the_log() -> Result<()> {
        let (_folder, log) = log()?;
        let process = Process::spawn("it", sh("echo the reason >&2; exit 3"), &log)?;
        let error = process.finish(Duration::from_secs(10), |_| {}).await.err().map(|e| e.to_string());
        let error = error.unwrap_or_default();
        assert!(error.contains("exit status: 3") && error.contains("the reason"), "{error}");
        Ok(())
    }

    #[tokio::test]
    async fn a_command_that_takes_too_long_is_ended() -> Result<()> {
        let (_folder, log) = log()?;
        let process = Process::spawn("it", sh("sleep 60"), &log)?;
        let error = process.finish(Duration::from_millis(1), |_| {}).await.err().map(|e| e.to_string());
        let error = error.unwrap_or_default();
        assert!(error.contains("did not end within"), "{error}");
        Ok(())
    }

    #[tokio::test]
    async fn what_a_process_had_started_ends_with_it() -> Result<()> {
        let (_folder, log) = log()?;
        let mut process = Process::spawn("it", sh("sleep 60 & echo $!; wait"), &log)?;
        let grandchild = process
            .until(Duration::from_secs(10), async |log| {
                fs::read_to_string(log).ok().filter(|text| text.ends_with('\n'))
            })
            .await?;
        let stat = format!("/proc/{}/stat", grandchild.trim());
        assert!(Path::new(&stat).exists());
        drop(process);
        // A dead orphan is reaped by init in its own time: a zombie has ended too.
        let ended = || fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
        let started = Instant::now();
        while !ended() {
            assert!(started.elapsed() < Duration::from_secs(10), "the grandchild lives on");
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }
}
