//! An interpreter of Amazon States Language for definitions in JSONata.
//!
//! It interprets the states and fields that `statemachine/*.asl.json` uses, as AWS does, and rejects every other one
//! when it reads a definition. In four sentences:
//!
//! - A [`Definition`] is read once; a [`StateMachine`] gives it a name.
//! - [`StepFunctions`] holds the executions and a queue in virtual time, and runs them until nothing is due.
//! - A [`World`] answers the tasks. Its answer arrives after a duration, or later through [`StepFunctions::answer`].
//! - An [`Execution`] reports its status, the states that it entered, and its [`Usage`]: history events, state
//!   transitions, calls and the largest state data.
//!
//! Values are reference-counted without locks, so each [`StepFunctions`] stays on one thread. Worlds that know nothing
//! of each other run on several threads, each with its own [`Definition`].
//!
//! # What is not interpreted
//!
//! Parallel states, distributed Maps, `JSONPath`, activities, callbacks, heartbeats, and the `TimeoutSeconds` of a
//! state machine. No AWS identity is checked. A state transition takes no time.
//!
//! # Where public material does not say what AWS does
//!
//! - After a redrive, this interpreter counts the `Entered` event of the failed state again, so it never counts too
//!   few. `State.EnteredTime` is then the time of the redrive.
//! - If a Map fails after all its iterations have succeeded, a redrive runs them all again. AWS documents this for
//!   `States.DataLimitExceeded`; here it is so for each error.
//! - Expressions have the answers of the reference implementation of JSONata. AWS has another implementation, which
//!   possibly writes a number with a fraction in other digits.

mod definition;
mod execution;
mod expression;
mod failure;
mod functions;
mod limits;
mod retry;
mod step_functions;
mod template;
mod time;
mod value;

pub use definition::{Definition, DefinitionError, StateMachine};
pub use execution::{Entry, Execution, ExecutionStatus, Usage};
pub use expression::{evaluate, is_valid_expression};
pub use failure::Failure;
pub use limits::{MAX_DATA_BYTES, MAX_EVENTS, MAX_VARIABLES_BYTES};
pub use step_functions::{Call, ExecutionId, NotRedrivable, Reply, StartError, StepFunctions, TaskToken, World};
pub use time::Timestamp;
