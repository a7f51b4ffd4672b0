//! What went wrong, in words a person can act on.

use std::{fmt, path::Path};

use aws_sdk_sfn::error::DisplayErrorContext;

/// What every call of this crate answers.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure: which command, file or call, what is wrong and what to do.
///
/// `Debug` prints the message as it is, so that a test that ends with `?` is readable.
pub struct Error(String);

impl Error {
    /// A failure that says this.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// A file or folder could not be read, written or made.
    pub(crate) fn file(doing: &str, path: &Path, error: &std::io::Error) -> Self {
        Self(format!("cannot {doing} {}: {error}", path.display()))
    }

    /// A call to the local AWS failed: the SDK's own words are hidden in its sources.
    pub(crate) fn call<E: std::error::Error>(call: &str, error: E) -> Self {
        Self(format!("{call}: {}", DisplayErrorContext(error)))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}
