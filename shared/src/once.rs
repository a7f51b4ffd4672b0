//! Once per job: how a paid job is started so that no repetition and no lost answer starts it again.
//!
//! Neither service takes a client token, so the job's name stands for one. A first attempt starts at once. A later one,
//! or a conflict, looks the name up first and takes the job that is there, if it is this run's.

use crate::error::{Error, ErrorName};
use crate::execution::Attempt;
use crate::values::JobName;

/// What there is under a name.
#[derive(Debug)]
pub enum Found<J> {
    /// The job of an earlier attempt of this run.
    Ours(J),
    /// A job from before this run, and what to say of it.
    Older(Error),
    /// No job.
    Nothing,
}

/// The job of a run.
#[derive(Debug)]
pub struct Started<J> {
    /// What the service calls it.
    pub job: J,
    /// The name that it bears: the first of those to try that was free.
    pub name: JobName,
    /// Whether an earlier attempt had started it.
    pub was_there: bool,
}

/// Starts the job under the first name that is free, or finds the one that an earlier attempt started.
///
/// `find` looks a name up through all pages; `begin` calls the service once. Errors are theirs, and `Conflict` where
/// every name is taken.
pub async fn start_once<J>(
    names: &[JobName],
    attempt: Attempt,
    find: impl AsyncFn(&JobName) -> Result<Found<J>, Error>,
    begin: impl AsyncFn(&JobName) -> Result<J, Error>,
) -> Result<Started<J>, Error> {
    if !attempt.is_first() {
        for name in names {
            if let Found::Ours(job) = find(name).await? {
                return Ok(Started { job, name: name.clone(), was_there: true });
            }
        }
    }
    let mut taken = None;
    for name in names {
        let conflict = match begin(name).await {
            Err(error) if error.name == ErrorName::Conflict => error,
            other => return other.map(|job| Started { job, name: name.clone(), was_there: false }),
        };
        match find(name).await? {
            Found::Ours(job) => return Ok(Started { job, name: name.clone(), was_there: true }),
            Found::Older(older) => taken = Some(older),
            Found::Nothing => return Err(conflict),
        }
    }
    Err(taken.unwrap_or_else(|| Error::new(ErrorName::Conflict, "No name is left to try.")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::RefCell;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// Nothing here ever waits.
    fn now<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("it waited"),
        }
    }

    fn conflict() -> Error {
        Error::new(ErrorName::Conflict, "taken")
    }

    /// The job's id, its name, and whether it was there.
    type Job = (String, String, bool);

    /// Runs against a service of three kinds of names, and tells what it was asked.
    fn run(attempt: Attempt, names: [&str; 2]) -> (Result<Job, Error>, Vec<String>) {
        let asked = RefCell::new(Vec::new());
        let names = names.map(|name| name.parse().unwrap());
        let find = async |name: &JobName| {
            asked.borrow_mut().push(format!("find {name}"));
            Ok(match name.as_str() {
                "ours" => Found::Ours("the first".to_owned()),
                "older" => Found::Older(Error::new(ErrorName::Conflict, "older")),
                _ => Found::Nothing,
            })
        };
        let begin = async |name: &JobName| {
            asked.borrow_mut().push(format!("begin {name}"));
            match name.as_str() {
                "ours" | "older" | "odd" => Err(conflict()),
                "down" => Err(Error::new(ErrorName::ServiceUnavailable, "down")),
                _ => Ok("another".to_owned()),
            }
        };
        let started = now(start_once(&names, attempt, find, begin));
        (started.map(|job| (job.job, job.name.to_string(), job.was_there)), asked.into_inner())
    }

    fn retry() -> Attempt {
        serde_json::from_str("{\"retryCount\": 1}").unwrap()
    }

    fn job(id: &str, name: &str, was_there: bool) -> Job {
        (id.to_owned(), name.to_owned(), was_there)
    }

    #[test]
    fn a_first_attempt_starts_at_once() {
        let (started, asked) = run(Attempt::default(), ["free", "second"]);
        assert_eq!(started.unwrap(), job("another", "free", false));
        assert_eq!(asked, ["begin free"]);
    }

    #[test]
    fn a_later_attempt_looks_every_name_up_before_it_starts() {
        let (started, asked) = run(retry(), ["free", "second"]);
        assert_eq!(started.unwrap(), job("another", "free", false));
        assert_eq!(asked, ["find free", "find second", "begin free"]);
        let (started, asked) = run(retry(), ["free", "ours"]);
        assert_eq!(started.unwrap(), job("the first", "ours", true));
        assert_eq!(asked, ["find free", "find ours"]);
    }

    #[test]
    fn a_conflict_with_our_own_job_takes_it() {
        assert_eq!(run(Attempt::default(), ["ours", "free"]).0.unwrap(), job("the first", "ours", true));
    }

    #[test]
    fn a_name_that_an_older_job_bears_gives_way_to_the_next_one() {
        assert_eq!(run(Attempt::default(), ["older", "free"]).0.unwrap(), job("another", "free", false));
        let none_left = run(Attempt::default(), ["older", "older"]).0.unwrap_err();
        assert_eq!(none_left, Error::new(ErrorName::Conflict, "older"));
    }

    #[test]
    fn a_conflict_that_cannot_be_found_and_any_other_error_end_the_start() {
        assert_eq!(run(Attempt::default(), ["odd", "free"]).0.unwrap_err(), conflict());
        let (down, asked) = run(Attempt::default(), ["down", "free"]);
        assert_eq!(down.unwrap_err().name, ErrorName::ServiceUnavailable);
        assert_eq!(asked, ["begin down"]);
    }

    #[test]
    fn no_names_start_nothing() {
        let nothing = now(start_once(&[], Attempt::default(), async |_| Ok(Found::Nothing), async |_| Ok(())));
        assert_eq!(nothing.unwrap_err().name, ErrorName::Conflict);
    }
}
