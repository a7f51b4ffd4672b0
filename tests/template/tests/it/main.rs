//! Holds the template, the workflows and the types to the documented rules of AWS, one rule a test.
//!
//! The local AWS accepts much that AWS rejects. Each test names the page or the file that has its rule.
//!
//! | file | holds |
//! |---|---|
//! | `expansion.rs` | the template as CloudFormation gets it, for many parameter values |
//! | `resolve.rs` | the template as CloudFormation understands it: intrinsic functions, conditions, names |
//! | `parameters.rs` | two values for each parameter, and who has to see a change |
//! | `policies.rs` | the IAM statements of the resolved template |
//! | `models.rs` | the pinned service models, and checks of a value against them |
//! | `configuration.rs` | a changed parameter reaches runs and functions |
//! | `versions.rs` | when a function gets a new version |
//! | `permissions.rs` | actions, resources, trust and keys |
//! | `retries.rs` | every error of Lambda has a handler |
//! | `definitions.rs` | the workflows as Step Functions reads them |
//! | `resources.rs` | conditions, replacement, retention, partitions |
//! | `outcomes.rs` | queues, records, and alarms on lost messages |
//! | `build.rs` | `sam build` gets every parameter that it reads |
//! | `limits.rs` | sizes that AWS limits |
//! | `uploads.rs` | the queue between an upload and its run |
//! | `types.rs` | the limits of our types are those of the services |

#![allow(clippy::unwrap_used)]

mod build;
mod configuration;
mod definitions;
mod expansion;
mod limits;
mod models;
mod outcomes;
mod parameters;
mod permissions;
mod policies;
mod resolve;
mod resources;
mod retries;
mod types;
mod uploads;
mod versions;
