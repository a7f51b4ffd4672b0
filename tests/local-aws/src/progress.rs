//! Telling what is being done: to a person who watches the demo, or to the log of a test run.

use std::{io::Write, time::Duration};

/// A part of bringing the local AWS up, in the order in which they begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Installing the Python tools.
    Tools,
    /// Building the emulator of the ML services.
    Emulator,
    /// Building the functions.
    Functions,
    /// Starting `MiniStack` and the emulator.
    Boot,
    /// Deploying the stack.
    Deploy,
}

impl Step {
    /// What is done in it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Tools => "Install the tools",
            Self::Emulator => "Build the emulator of the ML services",
            Self::Functions => "Build the functions (sam build)",
            Self::Boot => "Start the local AWS",
            Self::Deploy => "Deploy the stack (sam deploy)",
        }
    }
}

/// How far a step is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State<'a> {
    /// It begins.
    Begun,
    /// It is at this: a package, a crate, a resource.
    At(&'a str),
    /// So much of so much is done, and it is at this.
    Counted {
        /// What is done.
        done: u64,
        /// What there is to do.
        all: u64,
        /// What it is at.
        at: &'a str,
    },
    /// It is done, and took so long.
    Done(Duration),
}

/// Someone who is told how far things are.
pub trait Progress: Sync {
    /// This step is that far.
    fn tell(&self, step: Step, state: &State<'_>);
}

/// Tells the end of each step that took time, a line each, on standard error.
///
/// It writes there directly and not by `eprintln!`, which the test harness would keep to itself: the first test of a
/// fresh checkout takes minutes, and a person wants to know why.
#[derive(Clone, Copy, Debug)]
pub struct Lines;

impl Progress for Lines {
    fn tell(&self, step: Step, state: &State<'_>) {
        let line = match state {
            State::Begun => format!("local AWS: {} …\n", step.title()),
            State::Done(took) => format!("local AWS: {} – {:.1} s\n", step.title(), took.as_secs_f64()),
            State::At(_) | State::Counted { .. } => return,
        };
        // Nobody is worse off where it cannot be told.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}
