//! The model of Lookalike: what a run is asked for, what its jobs are called, how far they are, when to look again,
//! which sizes to export, and what each failure is named.
//!
//! Everything here is a pure rule beside its tests. The functions read an event, ask this crate, call AWS and answer.
//!
//! | module | holds |
//! |---|---|
//! | [`upload`] | the S3 event that starts a run, and the name of that run |
//! | [`execution`] | a run: its input, its identity, its attempts, its deadline |
//! | [`stack`] | the stack's settings as a run receives them |
//! | [`request`] | the audience request with every limit of the API |
//! | [`values`] | the strings of the API as types: names, ARNs, locations |
//! | [`segment_request`], [`segment_input`], [`segment_output`] | the same of a segment run: its request, its input's check, what came of it |
//! | [`audience_size`], [`export_policy`] | what is exported |
//! | [`lines`], [`seed`] | the check of a seed, streaming |
//! | [`model`] | what a configured audience model asks of a request and its seed |
//! | [`job`] | names of jobs, and whether a job that is there is ours |
//! | [`once`] | how a job is started once |
//! | [`status`] | how far a job is, and what to do about it |
//! | [`exports`] | the same of the exports of a run, all at once |
//! | [`schedule`] | when to look again |
//! | [`retention`] | how long an audience is kept |
//! | [`report`], [`timeline`] | what a run that has ended tells, for people and for machines |
//! | [`audience_report`], [`segment_report`] | the same of each kind of run: what was made, and where it lies |
//! | [`outcome`] | how a run finished: its notification, event, metrics and record; which outcomes were missed |
//! | [`console`], [`words`] | where the AWS console shows it; numbers and times as people write them |
//! | [`error`], [`violations`] | the errors, by the names that Step Functions matches |
//! | [`cause`] | the text in the cause of a failed task |
//! | [`environment`], [`client`], [`log`] | how every function is set up |

pub mod audience_report;
pub mod audience_size;
pub mod cause;
pub mod client;
pub mod console;
pub mod environment;
pub mod error;
pub mod execution;
pub mod export_policy;
pub mod exports;
pub mod files;
pub mod job;
pub mod lines;
pub mod log;
pub mod model;
pub mod once;
pub mod outcome;
pub mod report;
pub mod request;
pub mod retention;
pub mod schedule;
pub mod seed;
pub mod segment_input;
pub mod segment_output;
pub mod segment_report;
pub mod segment_request;
pub mod stack;
pub mod status;
pub mod timeline;
pub mod upload;
pub mod values;
pub mod violations;
pub mod words;

pub use audience_size::AudienceSize;
pub use error::{Error, ErrorName};
pub use export_policy::ExportPolicy;
