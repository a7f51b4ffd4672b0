//! Where things lie in the checkout, and how a command that we run should find them.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// The architecture of this machine's processor, as Lambda calls it: `MiniStack` runs the functions natively.
pub(crate) const HOST_ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };

/// The root of the checkout.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// Cargo's target folder: all that is installed, built or logged lies below it.
#[must_use]
pub fn target() -> PathBuf {
    root().join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// Takes out of a command's environment what must not reach it from ours.
///
/// What cargo tells the program that it runs would have a build script or two run again in a cargo below; and the
/// AWS settings of whoever runs this must never be near a deployment that is meant for this machine.
pub(crate) fn shield(command: &mut Command) {
    const CARGO_TELLS: [&str; 6] = [
        "CARGO_MANIFEST_",
        "CARGO_PKG_",
        "CARGO_BIN_",
        "CARGO_CRATE_NAME",
        "CARGO_PRIMARY_PACKAGE",
        "CARGO_TARGET_TMPDIR",
    ];
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text == "CARGO" || text.starts_with("AWS_") || CARGO_TELLS.iter().any(|told| text.starts_with(told)) {
            command.env_remove(&name);
        }
    }
}
