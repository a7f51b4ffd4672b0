//! Decides when a fault happens, and counts how often each has happened.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::faults::{Fault, FaultPlan, Kind, Target};
use crate::operation::Operation;
use crate::rng::Rng;

/// The faults that are armed.
pub(crate) struct FaultInjection(Mutex<Armed>);

struct Armed {
    seed: u64,
    faults: Vec<ArmedFault>,
}

struct ArmedFault {
    fault: Fault,
    struck: u64,
    /// How often each operation was called for each name.
    chances: HashMap<(Operation, String), u64>,
}

/// The faults as they stand: what `GET /_emulator/faults` answers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Standing {
    fault_seed: u64,
    faults: Vec<StruckFault>,
}

#[derive(Serialize)]
struct StruckFault {
    #[serde(flatten)]
    fault: Fault,
    struck: u64,
}

impl FaultInjection {
    pub(crate) fn new(plan: FaultPlan) -> Self {
        Self(Mutex::new(Armed::new(plan)))
    }

    fn armed(&self) -> MutexGuard<'_, Armed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn replace(&self, plan: FaultPlan) {
        *self.armed() = Armed::new(plan);
    }

    pub(crate) fn standing(&self) -> Standing {
        let armed = self.armed();
        let struck = |armed: &ArmedFault| StruckFault { fault: armed.fault.clone(), struck: armed.struck };
        Standing { fault_seed: armed.seed, faults: armed.faults.iter().map(struck).collect() }
    }

    /// Returns the fault of a call.
    pub(crate) fn of_call(&self, operation: Operation, name: Option<&str>) -> Option<Kind> {
        self.armed().first(Target::Call, operation, name)
    }

    /// Returns the fault of a job that the operation starts.
    pub(crate) fn of_job(&self, operation: Operation, name: &str) -> Option<Kind> {
        self.armed().first(Target::Job, operation, Some(name))
    }

    /// Returns the faults of an answer, among those that would change it.
    pub(crate) fn of_view(&self, operation: Operation, changes: impl Fn(&Fault) -> bool) -> Vec<Fault> {
        let mut armed = self.armed();
        let hits = armed.hits(operation, "", |fault| fault.fault.target() == Target::View && changes(fault));
        hits.into_iter().map(|place| armed.faults[place].inject()).collect()
    }
}

impl Armed {
    fn new(plan: FaultPlan) -> Self {
        let arm = |fault| ArmedFault { fault, struck: 0, chances: HashMap::new() };
        Self { seed: plan.fault_seed, faults: plan.faults.into_iter().map(arm).collect() }
    }

    fn first(&mut self, target: Target, operation: Operation, name: Option<&str>) -> Option<Kind> {
        let meant = |fault: &Fault| fault.fault.target() == target && fault.names(name);
        let hits = self.hits(operation, name.unwrap_or_default(), meant);
        hits.first().map(|place| self.faults[*place].inject().fault)
    }

    /// The places of the faults that hit.
    ///
    /// Each fault draws, also after another one has hit. So the next hit of a fault does not depend on the others.
    fn hits(&mut self, operation: Operation, name: &str, meant: impl Fn(&Fault) -> bool) -> Vec<usize> {
        let seed = self.seed;
        let mut hits = Vec::new();
        for (place, armed) in self.faults.iter_mut().enumerate() {
            if armed.fault.affects(operation) && meant(&armed.fault) && armed.draw(seed, place, operation, name) {
                hits.push(place);
            }
        }
        hits
    }
}

impl ArmedFault {
    fn draw(&mut self, seed: u64, place: usize, operation: Operation, name: &str) -> bool {
        let chance = self.chances.entry((operation, name.to_owned())).or_default();
        *chance += 1;
        let drawn = chance_of(seed, &format!("{place}/{}/{name}/{chance}", operation.name()));
        self.fault.times.is_none_or(|times| self.struck < times)
            && self.fault.probability.is_none_or(|probability| drawn < probability)
    }

    fn inject(&mut self) -> Fault {
        self.struck += 1;
        self.fault.clone()
    }
}

/// From zero to less than one, the same for the same seed and text.
fn chance_of(seed: u64, text: &str) -> f64 {
    let start = text.bytes().fold(seed, |state, byte| Rng(state ^ u64::from(byte)).next());
    f64::from(Rng(start).below(u32::MAX)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn injection(seed: u64, probability: f64, times: Option<u64>) -> FaultInjection {
        let fault = Fault {
            operation: None,
            name: None,
            name_prefix: None,
            times,
            probability: Some(probability),
            fault: Kind::DropBefore {},
        };
        FaultInjection::new(FaultPlan { faults: vec![fault], fault_seed: seed })
    }

    fn run(injection: &FaultInjection, name: &str) -> Vec<bool> {
        let call = |_| injection.of_call(Operation::StartAudienceExportJob, Some(name)).is_some();
        (0..200).map(call).collect()
    }

    #[test]
    fn the_same_seed_hits_the_same_calls_and_another_seed_hits_others() {
        assert_eq!(run(&injection(7, 0.5, None), "a"), run(&injection(7, 0.5, None), "a"));
        assert_ne!(run(&injection(7, 0.5, None), "a"), run(&injection(8, 0.5, None), "a"));
    }

    #[test]
    fn the_faults_of_one_job_do_not_depend_on_other_jobs() {
        let alone = run(&injection(7, 0.5, None), "a");
        let among_others = injection(7, 0.5, None);
        run(&among_others, "b");
        assert_eq!(run(&among_others, "a"), alone);
    }

    #[test]
    fn a_probability_is_kept_and_its_ends_are_never_and_always() {
        let count = |probability| run(&injection(7, probability, None), "a").iter().filter(|struck| **struck).count();
        assert_eq!((count(0.0), count(1.0)), (0, 200));
        assert!((30..=70).contains(&count(0.25)), "{}", count(0.25));
    }

    #[test]
    fn a_fault_of_chance_happens_no_more_often_than_its_times() {
        let injection = injection(7, 0.5, Some(3));
        assert_eq!(run(&injection, "a").iter().filter(|struck| **struck).count(), 3);
        assert_eq!(run(&injection, "b").iter().filter(|struck| **struck).count(), 0);
    }
}
