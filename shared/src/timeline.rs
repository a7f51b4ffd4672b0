//! How a run's time was spent, stage by stage.

use serde::Serialize;

use crate::execution::Moment;

/// What a run does in a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum StageKind {
    /// Its request, and its seed or input, are checked.
    Check,
    /// They are checked, then it waits for the service's quota.
    Queue,
    /// The audience is generated.
    Generation,
    /// The sizes are exported.
    Export,
    /// The segments are made.
    Segment,
}

impl StageKind {
    /// What a run does before its first job begins.
    #[must_use]
    pub fn before_job(quota_waits: u32) -> Self {
        if quota_waits > 0 { Self::Queue } else { Self::Check }
    }
}

/// One stage.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Stage {
    /// What was done.
    pub kind: StageKind,
    /// When it began.
    pub from: Moment,
    /// When it ended.
    pub to: Moment,
    /// How long it took.
    pub seconds: i64,
}

impl Stage {
    /// A stage. One that ends before it begins, by clocks that differ, takes no time.
    #[must_use]
    pub fn new(kind: StageKind, from: Moment, to: Moment) -> Self {
        let to = latest(from, to);
        Self { kind, from, to, seconds: to.seconds_since(from) }
    }
}

/// The stages of a run, in their order.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Timeline {
    /// When the run began.
    pub start: Moment,
    /// When the last stage ended.
    pub end: Moment,
    /// How long the run took.
    pub seconds: i64,
    /// What it did.
    pub stages: Vec<Stage>,
}

impl Timeline {
    /// The timeline of a run that began at `start`.
    #[must_use]
    pub fn new(start: Moment, stages: Vec<Stage>) -> Self {
        let end = stages.iter().map(|stage| stage.to).fold(start, latest);
        Self { start, end, seconds: end.seconds_since(start), stages }
    }
}

/// The earlier of two moments.
#[must_use]
pub fn earliest(one: Moment, other: Moment) -> Moment {
    if other < one { other } else { one }
}

/// The later of two moments.
#[must_use]
pub fn latest(one: Moment, other: Moment) -> Moment {
    if other > one { other } else { one }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn moment(time: &str) -> Moment {
        format!("2026-11-22T{time}Z").parse().unwrap()
    }

    #[test]
    fn a_timeline_ends_with_its_last_stage() {
        let check = Stage::new(StageKind::Check, moment("16:00:00"), moment("16:00:20"));
        let generation = Stage::new(StageKind::Generation, moment("16:00:30"), moment("18:00:00"));
        let timeline = Timeline::new(moment("16:00:00"), vec![check, generation]);
        assert_eq!((timeline.seconds, timeline.end), (7_200, moment("18:00:00")));
        assert_eq!(Timeline::new(moment("16:00:00"), Vec::new()).seconds, 0);
    }

    #[test]
    fn a_stage_takes_no_time_where_the_clocks_say_less_than_none() {
        let stage = Stage::new(StageKind::Export, moment("16:00:05"), moment("16:00:04"));
        assert_eq!((stage.seconds, stage.to), (0, stage.from));
    }
}
