//! The folder of one run: its logs, and what its servers leave behind.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{Error, Result, workspace::target};

/// How many earlier runs' logs are kept.
const KEPT: usize = 5;

/// A folder below `target/local-aws/runs`.
#[derive(Debug)]
pub(crate) struct Run {
    folder: PathBuf,
    /// Held as long as we live, however we end: a folder whose lock is free is an earlier run's.
    _alive: File,
}

impl Run {
    /// Makes the folder, and clears away what earlier runs left.
    pub(crate) fn begin() -> Result<Self> {
        let runs = target().join("local-aws/runs");
        fs::create_dir_all(&runs).map_err(|e| Error::file("make", &runs, &e))?;
        clear(&runs);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let folder = runs.join(format!("{now}-{}", process::id()));
        let scratch = folder.join("scratch");
        fs::create_dir_all(&scratch).map_err(|e| Error::file("make", &scratch, &e))?;
        let alive = folder.join("alive");
        let lock = File::create(&alive).map_err(|e| Error::file("write", &alive, &e))?;
        lock.lock().map_err(|e| Error::file("lock", &alive, &e))?;
        Ok(Self { folder, _alive: lock })
    }

    /// Where the logs are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a log of this name lies.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }

    /// A folder that ends with the run: a home and temporary files for the servers.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.folder.join("scratch")
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // Where this fails, the next run clears it away.
        let _ = fs::remove_dir_all(self.scratch());
    }
}

/// Removes the scratch folders of runs that have ended, and all of the oldest.
fn clear(runs: &Path) {
    let mut ended: Vec<_> = fs::read_dir(runs)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|run| File::open(run.join("alive")).is_ok_and(|alive| alive.try_lock().is_ok()))
        .collect();
    ended.sort();
    let oldest = ended.len().saturating_sub(KEPT);
    for (index, run) in ended.iter().enumerate() {
        // What cannot be removed is only in the way of a tidy folder.
        let _ = fs::remove_dir_all(if index < oldest { run.clone() } else { run.join("scratch") });
    }
}
