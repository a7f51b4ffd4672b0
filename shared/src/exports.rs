//! The exports of a run: each is started by itself, and one look sees all that are under way.
//!
//! The service lists them together. With a look for each, a run of three sizes took up to twice the transitions
//! (2026-11-23).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::audience_size::AudienceSize;
use crate::error::Error;
use crate::execution::Moment;
use crate::status::{Look, Phase, Seen};
use crate::values::JobName;

/// An export of a run, as the workflow carries it from its start to the run's answer.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunExport {
    /// Its name; none where it was not started.
    pub name: Option<JobName>,
    /// Its size.
    pub audience_size: AudienceSize,
    /// When the run started it; none when it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Moment>,
    /// The service's own word; `UNKNOWN` where it could not be started or looked at, none before the first look.
    pub status: Option<String>,
    /// When it was created.
    pub create_time: Option<Moment>,
    /// When it last changed.
    pub update_time: Option<Moment>,
    /// Where it lies, where visible.
    pub output_location: Option<String>,
    /// Why it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What happened, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

impl RunExport {
    /// Its name and when it was started, where it was and its end has not been seen.
    #[must_use]
    pub fn under_way(&self) -> Option<(&JobName, Moment)> {
        self.name.as_ref().zip(self.start_time)
    }
}

/// What `check-status` answers about the exports of a run.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportsStatus {
    /// `RUNNING` while any is under way, else `READY`: each says by itself whether it ended well.
    pub phase: Phase,
    /// Where `RUNNING`: seconds until the next look, which the youngest decides.
    pub check_after_seconds: Option<u32>,
    /// Each of them, in the order in which they came.
    pub exports: Vec<RunExport>,
}

/// What the workflow does about its exports, of which the service has `seen` these by name.
///
/// `look` is at all of them. An end that was seen stays.
pub fn judge(
    exports: Vec<RunExport>,
    mut seen: BTreeMap<String, Seen>,
    look: Look<'_>,
) -> Result<ExportsStatus, Error> {
    let mut check_after_seconds: Option<u32> = None;
    let mut judge = |export: RunExport| {
        let Some((name, start)) = export.under_way() else { return Ok(export) };
        let look = Look { job: name.as_str(), start_time: Some(start), ..look };
        let status = match seen.remove(name.as_str()) {
            Some(seen) => look.judge(seen),
            None => look.judge_missing()?,
        };
        check_after_seconds = [check_after_seconds, status.check_after_seconds].into_iter().flatten().min();
        Ok(RunExport {
            start_time: export.start_time.filter(|_| status.phase == Phase::Running),
            status: Some(status.status),
            create_time: status.create_time,
            update_time: status.update_time,
            output_location: status.output_location,
            error: status.error.map(|error| error.to_string()),
            cause: status.cause,
            ..export
        })
    };
    let exports = exports.into_iter().map(&mut judge).collect::<Result<_, Error>>()?;
    let phase = if check_after_seconds.is_some() { Phase::Running } else { Phase::Ready };
    Ok(ExportsStatus { phase, check_after_seconds, exports })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::execution::Deadline;
    use crate::schedule::PollBounds;
    use crate::status::JobKind;
    use serde_json::{Value, json};

    fn moment(text: &str) -> Moment {
        format!("2026-11-22T{text}Z").parse().unwrap()
    }

    fn export(percent: i64) -> RunExport {
        let size = json!({"type": "PERCENTAGE", "value": percent});
        let start = moment("16:00:00");
        serde_json::from_value(json!({"name": format!("run-{percent}pct"), "audienceSize": size, "startTime": start}))
            .unwrap()
    }

    fn seen(percent: i64, status: &str, create_time: &str) -> (String, Seen) {
        let create_time = Some(moment(create_time));
        (format!("run-{percent}pct"), Seen { status: status.into(), create_time, ..Seen::default() })
    }

    fn at(now: &str, exports: &[RunExport], listed: &[(String, Seen)]) -> ExportsStatus {
        let look = Look {
            kind: JobKind::Export,
            job: "all",
            start_time: None,
            was_there: false,
            deadline: Deadline::new(moment("16:00:00"), 7200),
            poll: PollBounds::new(13, 900).unwrap(),
            now: moment(now),
        };
        judge(exports.to_vec(), listed.iter().cloned().collect(), look).unwrap()
    }

    fn written(status: &ExportsStatus) -> Value {
        serde_json::to_value(&status.exports).unwrap()
    }

    #[test]
    fn the_youngest_that_is_under_way_decides_when_to_look_again() {
        let exports = [export(1), export(5), export(10)];
        let listed = [
            seen(1, "ACTIVE", "16:49:00"),
            seen(5, "CREATE_IN_PROGRESS", "16:40:00"),
            seen(10, "CREATE_PENDING", "16:20:00"),
        ];
        let status = at("16:50:00", &exports, &listed);
        assert_eq!((status.phase, status.check_after_seconds), (Phase::Running, Some(60)));
        let under_way: Vec<bool> = status.exports.iter().map(|export| export.under_way().is_some()).collect();
        assert_eq!(under_way, [false, true, true]);
        // One that is not listed yet is only late, and as old as its start.
        assert_eq!(at("16:50:00", &exports, &listed[..2]).check_after_seconds, Some(60));
        assert_eq!(at("16:50:00", &exports[2..], &[]).check_after_seconds, Some(300));
    }

    #[test]
    fn all_are_driven_to_their_end_and_each_says_which() {
        let failed = (
            "run-5pct".to_owned(),
            Seen { status: "CREATE_FAILED".into(), message: Some("disk full".into()), ..Seen::default() },
        );
        let refused = RunExport {
            name: None,
            start_time: None,
            error: Some("Conflict".into()),
            cause: Some("taken".into()),
            ..export(10)
        };
        let mut ready = seen(1, "ACTIVE", "16:10:00");
        ready.1.output_location = Some("s3://out/1".into());
        ready.1.update_time = Some(moment("16:12:00"));
        let status = at("16:50:00", &[export(1), export(5), refused], &[ready, failed]);
        assert_eq!((status.phase, status.check_after_seconds), (Phase::Ready, None));
        let first = json!({"name": "run-1pct", "audienceSize": {"type": "PERCENTAGE", "value": 1}, "status": "ACTIVE",
            "createTime": moment("16:10:00"), "updateTime": moment("16:12:00"), "outputLocation": "s3://out/1"});
        let exports = written(&status);
        assert_eq!(exports[0], first);
        assert_eq!((&exports[1]["error"], &exports[1]["startTime"]), (&json!("ExportFailed"), &Value::Null));
        assert!(exports[1]["cause"].as_str().unwrap().contains("job run-5pct failed: disk full"), "{exports}");
        assert_eq!((&exports[2]["error"], &exports[2]["cause"]), (&json!("Conflict"), &json!("taken")));
    }

    #[test]
    fn an_end_that_was_seen_stays() {
        let first = at("16:50:00", &[export(1), export(5)], &[seen(1, "ACTIVE", "16:10:00")]);
        let then = at("16:51:00", &first.exports, &[seen(1, "CREATE_IN_PROGRESS", "16:10:00")]);
        assert_eq!(written(&first)[0], written(&then)[0]);
        assert_eq!(then.phase, Phase::Running);
    }

    #[test]
    fn those_under_way_at_the_deadline_are_given_up_and_those_that_are_there_are_there() {
        let listed = [seen(1, "ACTIVE", "16:10:00"), seen(5, "CREATE_PENDING", "16:10:00")];
        let status = at("18:00:00", &[export(1), export(5), export(10)], &listed);
        assert_eq!(status.phase, Phase::Ready);
        let errors: Vec<_> = status.exports.iter().map(|export| export.error.as_deref()).collect();
        assert_eq!(errors, [None, Some("DeadlineExceeded"), Some("DeadlineExceeded")]);
    }
}
