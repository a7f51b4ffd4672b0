//! What a segment run that has ended tells: how many users its segments have, and where they lie.

use serde::{Deserialize, Serialize};

use crate::console::Console;
use crate::error::ErrorName;
use crate::execution::{Moment, Skipped};
use crate::report::{EndedRun, ReportStatus, Run, Verdict, null_is_none};
use crate::segment_input::InputCount;
use crate::segment_request::SegmentRequest;
use crate::status::{JobStatus, Phase};
use crate::timeline::{Stage, StageKind, Timeline};
use crate::values::{BatchSegmentJobArn, S3Uri};
use crate::words;

/// What the workflow hands over at the end of a segment run. Whatever is not there is `null`.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FinishedSegment {
    /// What every run has.
    #[serde(flatten)]
    pub run: EndedRun,
    /// The job.
    pub batch_segment_job_arn: Option<BatchSegmentJobArn>,
    /// What was found in the input.
    pub input: Option<InputCount>,
    /// What may go otherwise than meant.
    #[serde(default, deserialize_with = "null_is_none")]
    pub warnings: Vec<String>,
    /// The last look at the job.
    pub segment: Option<JobStatus>,
    /// When the run started the job.
    pub segment_start_time: Option<Moment>,
    /// What was found in the output.
    pub output: Option<SegmentCount>,
}

/// What was found in a segment's output, as it is told: without an error's text, which may quote the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SegmentCount {
    /// Lines, one for each line of the input.
    pub lines: u64,
    /// Users of all segments together; one who is in two counts twice.
    pub users: u64,
    /// Lines that hold an error instead of a segment.
    pub error_lines: u64,
}

impl SegmentCount {
    /// Lines that hold a segment.
    #[must_use]
    pub fn good_lines(&self) -> u64 {
        self.lines.saturating_sub(self.error_lines)
    }
}

/// The segments of a run, one for each line of the input.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Segment {
    /// The job that made them.
    pub batch_segment_job_arn: Option<BatchSegmentJobArn>,
    /// The service's own word for how far the job is.
    pub status: Option<String>,
    /// Whether any of them is there.
    pub is_ready: bool,
    /// What was found in the input, where it may be read.
    pub input: Option<InputCount>,
    /// What was found in the output, where there is one that may be read.
    pub output: Option<SegmentCount>,
    /// Where the output lies, where there is one.
    pub output_location: Option<String>,
    /// The same place in the AWS console.
    pub output_url: Option<String>,
}

/// The report of a segment run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SegmentReport {
    /// What every report tells.
    pub run: Run,
    /// The segments.
    pub segment: Segment,
    /// What may go otherwise than meant.
    pub warnings: Vec<String>,
    /// What could not be checked or counted.
    pub skipped: Vec<Skipped>,
    /// Where the checked request lies.
    pub checked_request: Option<S3Uri>,
    /// The request; none where it can no longer be read. All of it may be told: the values of a filter's parameters
    /// stand in the input.
    pub request: Option<SegmentRequest>,
}

impl SegmentReport {
    /// The report of a run that has ended, written at `now`.
    #[must_use]
    pub fn of(finished: FinishedSegment, request: Option<SegmentRequest>, now: Moment) -> Self {
        let timeline = timeline(&finished, now);
        let FinishedSegment { run, batch_segment_job_arn, input, warnings, segment, output, .. } = finished;
        let has_output = segment.as_ref().is_some_and(|segment| segment.phase == Phase::Ready);
        let (status, location) = segment.map(|segment| (segment.status, segment.output_location)).unzip();
        let segment = Segment {
            batch_segment_job_arn,
            status,
            is_ready: has_output && run.error.is_none(),
            input,
            output,
            output_location: location.flatten().filter(|_| has_output),
            output_url: None,
        };
        let segment = segment.shown_in(Console::of_arn(&run.execution.id).as_ref());
        let outcome = segment.outcome();
        let summary = segment.summary(run.error.as_deref());
        let (skipped, checked_request) = (run.skipped.clone(), run.checked_request.clone());
        Self {
            run: Run::of(run, Verdict { outcome, summary, remedy: None }, timeline, now),
            segment,
            warnings,
            skipped,
            checked_request,
            request,
        }
    }
}

impl Segment {
    /// Knows where the console shows its output.
    #[must_use]
    pub(crate) fn shown_in(self, console: Option<&Console>) -> Self {
        let place = self.output_location.as_ref().and_then(|location| location.parse::<S3Uri>().ok());
        Self { output_url: console.zip(place).map(|(console, place)| console.folder(&place)), ..self }
    }

    pub(crate) fn outcome(&self) -> ReportStatus {
        match self.output {
            _ if !self.is_ready => ReportStatus::Failed,
            Some(output) if output.error_lines > 0 => ReportStatus::Partial,
            _ => ReportStatus::Ready,
        }
    }

    /// How the run ended, in a sentence. `error` is that of the run.
    pub(crate) fn summary(&self, error: Option<&str>) -> String {
        let is = |name: ErrorName| error == Some(name.as_str());
        match self.output {
            Some(output) if self.is_ready => {
                let users = words::counted(output.users, "user", "users");
                let lines = words::counted(output.lines, "line", "lines");
                if output.error_lines == 0 {
                    format!("Your segment is ready: {users} for {lines} of input.")
                } else {
                    let good = words::count(output.good_lines());
                    format!("Your segment is ready in part: {users} for {good} of {lines} of input.")
                }
            }
            None if self.is_ready => "Your segment is ready. Its output was not counted.".to_owned(),
            Some(_) => "The job ended, but no line of its output is a segment.".to_owned(),
            None if is(ErrorName::DeadlineExceeded) => {
                "The segment was not ready when the run reached its deadline.".to_owned()
            }
            None if is(ErrorName::JobDeleted) => "The segment was deleted while the run waited for it.".to_owned(),
            None => "The segment could not be made.".to_owned(),
        }
    }

    /// What to do about lines that hold an error, where others hold a segment.
    #[must_use]
    pub fn mishap(&self) -> Option<String> {
        let errors = self.output.filter(|_| self.outcome() == ReportStatus::Partial)?.error_lines;
        Some(format!(
            "{} an error instead of users. What to do: look at the lines with an \"error\" in the output, mend their \
             input, and start a new run with them.",
            words::counted(errors, "line has", "lines have")
        ))
    }
}

/// Where the service hides when the job ended, its report tells when the run knew.
fn timeline(finished: &FinishedSegment, now: Moment) -> Timeline {
    let start = finished.run.execution.start_time;
    let mut stages = Vec::new();
    if let Some(segment_start) = finished.segment_start_time {
        stages.push(Stage::new(StageKind::before_job(finished.run.quota_waits), start, segment_start));
        let segment = finished.segment.as_ref().filter(|segment| segment.phase != Phase::Expired);
        let end = segment.and_then(|segment| segment.update_time).unwrap_or(now);
        stages.push(Stage::new(StageKind::Segment, segment_start, end));
    }
    Timeline::new(start, stages)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::segment_request::SegmentDefaults;
    use serde_json::{Value, json};

    const JOB: &str = "arn:aws:personalize:us-east-1:123456789012:batch-segment-job/spring";

    fn event() -> Value {
        json!({
            "engine": "segment",
            "execution": {
                "id": "arn:aws:states:us-east-1:123456789012:execution:segment:spring-00ff", "name": "spring-00ff",
                "startTime": "2026-11-22T16:00:00Z"
            },
            "name": "spring", "checkedRequest": "s3://seeds/checked/spring-00ff.json",
            "deadline": "2026-11-24T16:00:00Z", "batchSegmentJobArn": JOB,
            "input": {"lines": 4, "kind": "itemId"}, "warnings": ["careful"], "skipped": [],
            "segment": {
                "phase": "READY", "status": "ACTIVE", "createTime": "2026-11-22T16:00:10Z",
                "updateTime": "2026-11-22T16:30:00Z", "outputLocation": "s3://seeds/segment-output/spring/",
            },
            "segmentStartTime": "2026-11-22T16:00:09Z", "quotaWaits": 0,
            "output": {"lines": 4, "users": 1500, "errorLines": 0, "firstError": null},
            "error": null, "cause": null, "somethingNew": 1
        })
    }

    fn with(pointer: &str, value: Value) -> Value {
        let mut event = event();
        *event.pointer_mut(pointer).unwrap() = value;
        event
    }

    fn bad(phase: &str, error: &str) -> Value {
        let mut event = with("/segment/phase", json!(phase));
        event["error"] = json!(error);
        if phase != "READY" {
            event["output"] = Value::Null;
        }
        event
    }

    fn report(event: Value) -> SegmentReport {
        let now = "2026-11-22T19:00:00Z".parse().unwrap();
        SegmentReport::of(serde_json::from_value(event).unwrap(), None, now)
    }

    #[test]
    fn a_run_that_did_all_it_was_asked_for_is_ready_and_says_how_many_users_there_are() {
        let report = report(event());
        assert_eq!((report.run.outcome, report.segment.is_ready), (ReportStatus::Ready, true));
        assert_eq!(report.run.summary, "Your segment is ready: 1,500 users for 4 lines of input.");
        assert_eq!((report.segment.mishap(), report.run.remedy), (None, None));
        assert_eq!(report.warnings, ["careful"]);
    }

    #[test]
    fn a_run_some_of_whose_lines_are_errors_is_ready_in_part_and_says_what_to_do() {
        let partly = |errors: u64| report(with("/output/errorLines", json!(errors)));
        let one = partly(1);
        assert_eq!((one.run.outcome, one.segment.is_ready), (ReportStatus::Partial, true));
        assert_eq!(one.run.summary, "Your segment is ready in part: 1,500 users for 3 of 4 lines of input.");
        assert!(one.segment.mishap().unwrap().starts_with("1 line has an error instead of users. What to do: look at"));
        assert!(partly(3).segment.mishap().unwrap().starts_with("3 lines have an error"));
    }

    #[test]
    fn an_output_that_was_not_counted_is_ready_and_says_so() {
        let report = report(with("/output", Value::Null));
        assert_eq!(report.run.outcome, ReportStatus::Ready);
        assert_eq!(report.run.summary, "Your segment is ready. Its output was not counted.");
    }

    #[test]
    fn a_run_that_failed_says_in_a_sentence_what_is_there() {
        for (phase, error, words) in [
            ("FAILED", "SegmentFailed", "could not be made"),
            ("FAILED", "SomethingNew", "could not be made"),
            ("FAILED", "JobDeleted", "was deleted"),
            ("EXPIRED", "DeadlineExceeded", "was not ready"),
            ("READY", "SegmentFailed", "no line of its output is a segment"),
        ] {
            let report = report(bad(phase, error));
            assert_eq!((report.run.outcome, report.segment.is_ready), (ReportStatus::Failed, false));
            assert!(report.run.summary.contains(words), "{error}: {}", report.run.summary);
            assert_eq!(report.segment.mishap(), None);
            // The request's place is no output where the job wrote none; lines of errors can be looked at.
            assert_eq!(report.segment.output_location.is_some(), phase == "READY", "{error}");
        }
    }

    #[test]
    fn the_timeline_has_the_check_or_the_queue_and_the_job() {
        let took = |event| {
            let stages = report(event).run.timeline.stages;
            stages.iter().map(|stage| (stage.kind, stage.seconds)).collect::<Vec<_>>()
        };
        assert_eq!(took(event()), [(StageKind::Check, 9), (StageKind::Segment, 1_791)]);
        assert_eq!(took(with("/quotaWaits", json!(2)))[0].0, StageKind::Queue);
        let until_known = [(StageKind::Check, 9), (StageKind::Segment, 10_791)];
        assert_eq!(took(with("/segment/updateTime", Value::Null)), until_known);
        assert_eq!(took(bad("EXPIRED", "DeadlineExceeded")), until_known);
        assert_eq!(took(with("/segmentStartTime", Value::Null)), []);
    }

    #[test]
    fn a_run_that_is_all_nulls_still_has_a_report() {
        let execution = event()["execution"].clone();
        let mut event = json!({"execution": execution, "name": "spring", "error": "SegmentFailed"});
        for field in [
            "checkedRequest",
            "deadline",
            "batchSegmentJobArn",
            "input",
            "warnings",
            "skipped",
            "segment",
            "segmentStartTime",
            "quotaWaits",
            "output",
            "cause",
        ] {
            assert!(serde_json::from_value::<FinishedSegment>(event.clone()).is_ok(), "without {field}");
            event[field] = Value::Null;
        }
        assert_eq!(report(event).run.outcome, ReportStatus::Failed);
    }

    #[test]
    fn the_output_leads_to_the_console_only_where_it_is_a_place() {
        let url = |place: &str| report(with("/segment/outputLocation", json!(place))).segment.output_url;
        let shown = url("s3://seeds/segment-output/spring/").unwrap();
        let wanted =
            "https://us-east-1.console.aws.amazon.com/s3/buckets/seeds?region=us-east-1&prefix=segment-output/";
        assert!(shown.starts_with(wanted), "{shown}");
        assert_eq!(url("javascript:alert(1)"), None);
    }

    #[test]
    fn the_twin_is_in_the_apis_own_words_and_quotes_no_line() {
        let request = json!({
            "jobName": "spring", "solutionVersionArn": "arn:aws:personalize:us-east-1:123456789012:solution/runners/1b",
            "numResults": 500, "roleArn": "arn:aws:iam::123456789012:role/segments", "deadlineSeconds": 60,
            "jobInput": {"s3DataSource": {"path": "s3://seeds/in.jsonl"}},
            "jobOutput": {"s3DataDestination": {"path": "s3://seeds/segment-output/spring/"}},
        });
        let request = SegmentRequest::read(&request, &SegmentDefaults::default()).ok();
        let mut event = with("/output/errorLines", json!(1));
        event["output"]["firstError"] = json!("u-77 is marked");
        let now = "2026-11-22T19:00:00Z".parse().unwrap();
        let twin = SegmentReport::of(serde_json::from_value(event).unwrap(), request, now);
        let twin = serde_json::to_value(twin).unwrap();
        assert_eq!(twin["run"]["outcome"], "PARTIAL");
        assert_eq!(twin["run"]["timeline"]["stages"][1]["kind"], "SEGMENT");
        assert_eq!(twin["segment"]["batchSegmentJobArn"], JOB);
        assert_eq!(twin["segment"]["input"], json!({"lines": 4, "kind": "itemId"}));
        assert_eq!(twin["segment"]["output"], json!({"lines": 4, "users": 1500, "errorLines": 1}));
        assert_eq!(twin["segment"]["outputLocation"], "s3://seeds/segment-output/spring/");
        assert_eq!(twin["request"]["numResults"], 500);
        assert!(!twin.to_string().contains("marked"), "{twin}");
    }
}
