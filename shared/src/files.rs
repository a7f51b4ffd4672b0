//! Where the files of a run are in the stack's bucket.
//!
//! Every key names the workflow, the day on which the execution started, and the execution. So an audience run and a segment
//! run of one name, and a name that is used again after 90 days, have separate files.

use sha2::{Digest, Sha256};

use crate::execution::{Engine, Moment};
use crate::job::name_of_execution;
use crate::upload::hex;

impl Engine {
    /// Returns the name of the workflow in keys.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Audience => "audience",
            Self::Segment => "segment",
        }
    }
}

/// Returns the folder of all executions of a workflow that started on the same day, in UTC: `audience/2026-11-28`.
#[must_use]
pub fn day_folder(workflow: Engine, start_time: Moment) -> String {
    let time = start_time.to_string();
    let date = time.split_once('T').map_or("", |(date, _)| date);
    format!("{}/{date}", workflow.as_str())
}

/// The files of one run. A name that is not valid in the services' patterns is changed and gets a hash.
#[derive(Clone, Debug)]
pub struct RunFiles(String);

impl RunFiles {
    /// Returns the files of an execution.
    #[must_use]
    pub fn new(workflow: Engine, start_time: Moment, execution_name: &str) -> Self {
        Self(format!("{}/{}", day_folder(workflow, start_time), name_of_execution(execution_name)))
    }

    /// Returns the key of the checked request that one call of `check-request` writes. A late call and its repetition have
    /// separate files, because `request_id` identifies a call of Lambda.
    #[must_use]
    pub fn checked_request(&self, request_id: &str) -> String {
        format!("checked/{}-{}.json", self.0, short_hash(request_id))
    }

    /// Returns the key of the checked seed, as for the checked request.
    #[must_use]
    pub fn checked_seed(&self, request_id: &str) -> String {
        format!("checked/{}-{}.jsonl", self.0, short_hash(request_id))
    }

    /// Returns the key of the page of the report.
    #[must_use]
    pub fn report_page(&self) -> String {
        format!("reports/{}/index.html", self.0)
    }

    /// Returns the key of the report as JSON.
    #[must_use]
    pub fn report_json(&self) -> String {
        format!("reports/{}/report.json", self.0)
    }
}

fn short_hash(text: &str) -> String {
    hex(&Sha256::digest(text)[..4])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn files(workflow: Engine, start_time: &str, name: &str) -> RunFiles {
        RunFiles::new(workflow, start_time.parse().unwrap(), name)
    }

    #[test]
    fn every_key_names_workflow_day_and_execution() {
        let files = files(Engine::Audience, "2026-11-28T23:59:59.900Z", "spring");
        assert_eq!(files.report_page(), "reports/audience/2026-11-28/spring/index.html");
        assert_eq!(files.report_json(), "reports/audience/2026-11-28/spring/report.json");
        assert!(files.checked_request("a").starts_with("checked/audience/2026-11-28/spring-"));
    }

    #[test]
    fn runs_of_one_name_have_separate_files() {
        let pages = [
            files(Engine::Audience, "2026-11-28T16:00:00Z", "spring"),
            files(Engine::Segment, "2026-11-28T16:00:00Z", "spring"),
            files(Engine::Audience, "2027-03-01T16:00:00Z", "spring"),
        ]
        .map(|files| files.report_page());
        assert!(pages[0] != pages[1] && pages[0] != pages[2] && pages[1] != pages[2], "{pages:?}");
    }

    #[test]
    fn a_late_check_and_its_repetition_have_separate_files() {
        let files = files(Engine::Audience, "2026-11-28T16:00:00Z", "spring");
        assert_ne!(files.checked_seed("request-1"), files.checked_seed("request-2"));
        assert_ne!(files.checked_request("request-1"), files.checked_request("request-2"));
    }

    #[test]
    fn an_execution_name_that_no_key_can_have_is_changed() {
        let page = files(Engine::Audience, "2026-11-28T16:00:00Z", "a(b)!").report_page();
        assert!(page.starts_with("reports/audience/2026-11-28/a-b-") && page.is_ascii(), "{page}");
    }
}
