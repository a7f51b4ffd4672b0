//! The jobs of a run: their names, the tags that lead back to the run, and whether a job that is there is ours.
//!
//! Neither service takes a client token, so a name that is the same on every attempt stands for one.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::audience_size::AudienceSize;
use crate::execution::{Execution, Moment};
use crate::upload::hex;
use crate::values::{JobName, SegmentJobName, length};

/// The most characters of a job's name, in both services.
const MOST_CHARACTERS: usize = 63;

/// The name of a run that was given none: the execution's, in an alphabet that both services take.
///
/// A name that is too long, or has other characters than `[a-zA-Z0-9-_]`, is cut and mended, and ends in a hash of the
/// whole, so that two names stay two.
#[must_use]
pub fn name_of_execution(execution_name: &str) -> JobName {
    let takes = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let fits = (1..=MOST_CHARACTERS).contains(&execution_name.len())
        && execution_name.chars().all(takes)
        && execution_name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if fits {
        return trusted(execution_name.to_owned());
    }
    let mended: String = execution_name.chars().map(|c| if takes(c) { c } else { '-' }).collect();
    let mended = mended.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let cut: String = mended.chars().take(MOST_CHARACTERS - 13).collect();
    let start = if cut.is_empty() { "run" } else { cut.trim_end_matches('-') };
    trusted(format!("{start}-{}", digest(execution_name, 6)))
}

/// The same for a segment run.
#[must_use]
pub fn segment_name_of_execution(execution_name: &str) -> SegmentJobName {
    trusted(name_of_execution(execution_name).into())
}

/// The names that a run's job may bear, in the order in which to try them.
///
/// A name that a person gave is the only one. One that was made of the execution's may be taken by an older job: Step
/// Functions frees an execution's name after 90 days, a job keeps its own. Then the moment of the start makes another.
#[must_use]
pub fn names_to_try(name: &JobName, execution: &Execution) -> Vec<JobName> {
    let mut names = vec![name.clone()];
    if *name == name_of_execution(&execution.name) {
        let again = format!("{name}-{}", digest(&format!("{} {}", execution.name, execution.start_time), 4));
        names.push(name_of_execution(&again));
    }
    names
}

/// The name of an export: the run's and the size. Too long a name loses its middle to a hash of the whole.
#[must_use]
pub fn name_of_export(run: &JobName, size: AudienceSize) -> JobName {
    let whole = format!("{run}-{size}");
    if whole.chars().count() <= MOST_CHARACTERS {
        return trusted(whole);
    }
    let end = format!("-{}-{size}", digest(run.as_str(), 4));
    let start: String = run.as_str().chars().take(MOST_CHARACTERS - end.chars().count()).collect();
    trusted(format!("{start}{end}"))
}

/// A name made here keeps both services' rules by its making; the tests hold it to that.
fn trusted<N: TryFrom<String, Error = String>>(name: String) -> N {
    #[allow(clippy::expect_used)]
    N::try_from(name).expect("1 to 63 characters of a name")
}

fn digest(text: &str, bytes: usize) -> String {
    hex(&Sha256::digest(text)[..bytes])
}

/// The most tags a person can give a job: the services' 50 less the two that lead from the console back to the run.
pub const MOST_TAGS: usize = 48;

/// The key of the tag that says which stack started a job.
pub const STACK_TAG: &str = "lookalike:stack";

/// The two tags that lead from a job in the console back to its run.
#[must_use]
pub fn own_tags(stack: &str, execution: &Execution) -> [(String, String); 2] {
    [(STACK_TAG.into(), stack.into()), (RUN_TAG.into(), run_tag(execution))]
}

/// The longest value of a tag, in characters, in both services.
const MAX_TAG_CHARACTERS: usize = 256;

/// Returns the value that identifies a run in a tag and in the description of an export: the execution's ARN. Personalize
/// does not accept every character of an execution's name in a tag. Such a name is changed, and a hash of the ARN is added.
#[must_use]
pub fn run_tag(execution: &Execution) -> String {
    let is_valid = |c: char| c.is_ascii_alphanumeric() || "_.:/=+-@".contains(c);
    if execution.id.chars().all(is_valid) && execution.id.len() <= MAX_TAG_CHARACTERS {
        return execution.id.clone();
    }
    let changed: String = execution.id.chars().map(|c| if is_valid(c) { c } else { '-' }).collect();
    let start: String = changed.chars().take(MAX_TAG_CHARACTERS - 17).collect();
    format!("{start}-{}", digest(&execution.id, 8))
}

/// A tag's key: 1 to 128 characters; `aws:` is reserved by AWS, `lookalike:` is ours.
pub(crate) fn tag_key(key: &str) -> Result<(), String> {
    length(key, 1, 128)?;
    for reserved in ["aws:", "lookalike:"] {
        if key.get(..reserved.len()).is_some_and(|start| start.eq_ignore_ascii_case(reserved)) {
            return Err(format!("begins with {reserved} (reserved)"));
        }
    }
    Ok(())
}

/// The key of the tag that says which run started a job.
pub const RUN_TAG: &str = "lookalike:run";

/// What a service shows of a job whose name is this run's.
#[derive(Clone, Debug)]
pub struct Evidence<'a> {
    /// When the job was created.
    pub create_time: Moment,
    /// The value of its tag [`RUN_TAG`]. `None` if it shows none.
    pub run_tag: Option<&'a str>,
    /// What a job of another account's model has instead of tags.
    pub description: Option<&'a str>,
}

impl Evidence<'_> {
    /// Returns whether this run has started the job: it has the run's tag, and it was not created before the run. An
    /// execution's name is free again after 90 days, so the tag alone proves nothing.
    #[must_use]
    pub fn is_of(&self, execution: &Execution) -> bool {
        self.run_tag == Some(run_tag(execution).as_str()) && execution.may_have_created(self.create_time)
    }

    /// Returns the same for a job of another account's model, which possibly shows no tags to the account that started it. Then it has
    /// the description with the run's mark and was not created before the run. Source: Clean Rooms user guide,
    /// *childResourceTagOnCreatePolicy*, whose wording is open.
    ///
    /// The time of the last attempt proves nothing: an earlier attempt of the run, whose answer was lost, may have started
    /// the job.
    #[must_use]
    pub fn is_of_foreign(&self, execution: &Execution, wanted: Option<&str>) -> bool {
        match self.run_tag {
            Some(_) => self.is_of(execution),
            None => self.description == wanted && execution.may_have_created(self.create_time),
        }
    }
}

/// The longest description of a job, in characters. Source: `StartAudienceGenerationJob`.
const MAX_DESCRIPTION_CHARACTERS: usize = 255;

/// Returns the description of a job of another account's model: the request's, and a mark of the run, because tags are possibly
/// not shown. A description that leaves no room for the mark is cut.
#[must_use]
pub fn marked_description(description: Option<&str>, execution: &Execution) -> String {
    let mark = format!("(run {})", digest(&format!("{} {}", execution.id, execution.start_time), 8));
    let start: String =
        description.unwrap_or_default().chars().take(MAX_DESCRIPTION_CHARACTERS - mark.len() - 1).collect();
    format!("{start} {mark}").trim_start().to_owned()
}

/// How good an audience is, in the API's own shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metrics {
    /// By size.
    pub relevance_metrics: Vec<RelevanceMetric>,
    /// The share of the most similar users of a sample that the job found; 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recall_metric: Option<f64>,
}

/// The relevance of one size. Its range is documented in two ways, so it is never checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RelevanceMetric {
    /// The size.
    pub audience_size: AudienceSize,
    /// Larger is more alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_executions_name_is_the_jobs_where_both_services_take_it() {
        for name in ["spring-runners-00ff", "A_b", &"x".repeat(63)] {
            assert_eq!(name_of_execution(name).as_str(), name);
        }
    }

    #[test]
    fn a_name_that_no_job_can_bear_is_mended_and_stays_its_own() {
        let long = name_of_execution(&"x".repeat(64));
        assert_eq!(long.as_str().len(), 63);
        assert_ne!(long, name_of_execution(&"x".repeat(65)));
        assert_ne!(name_of_execution("a b"), name_of_execution("a+b"));
        assert!(name_of_execution("a b").as_str().starts_with("a-b-"));
        assert!(name_of_execution("_a").as_str().starts_with("a-"));
        assert!(name_of_execution("é").as_str().starts_with("run-"));
    }

    #[test]
    fn an_export_bears_the_runs_name_and_its_size_whole() {
        let run: JobName = "spring".parse().unwrap();
        assert_eq!(name_of_export(&run, "5pct".parse().unwrap()).as_str(), "spring-5pct");
        assert_eq!(name_of_export(&run, "10000".parse().unwrap()).as_str(), "spring-10000");
        let long: JobName = "é".repeat(63).parse().unwrap();
        let name = name_of_export(&long, "20000000".parse().unwrap());
        assert_eq!(name.as_str().chars().count(), 63);
        assert!(name.as_str().starts_with("éé") && name.as_str().ends_with("-20000000"), "{name}");
        let longer: JobName = format!("{}a", "é".repeat(62)).parse().unwrap();
        assert_ne!(name, name_of_export(&longer, "20000000".parse().unwrap()));
    }

    #[test]
    fn a_name_made_of_the_executions_has_another_to_try_and_a_given_one_has_none() {
        let run = execution();
        assert_eq!(names_to_try(&"given".parse().unwrap(), &run), ["given".parse().unwrap()]);
        let names = names_to_try(&"run".parse().unwrap(), &run);
        assert_eq!((names.len(), names[0].as_str()), (2, "run"));
        assert!(names[1].as_str().starts_with("run-"), "{}", names[1]);
        assert_eq!(names, names_to_try(&"run".parse().unwrap(), &run));
        let later = Execution { start_time: "2027-11-22T16:00:00Z".parse().unwrap(), ..run };
        assert_ne!(names[1], names_to_try(&"run".parse().unwrap(), &later)[1]);
        let long = Execution { name: "x".repeat(80), ..later };
        let names = names_to_try(&name_of_execution(&long.name), &long);
        assert!(names.len() == 2 && names[0] != names[1], "{names:?}");
    }

    fn execution() -> Execution {
        serde_json::from_value(serde_json::json!({
            "id": "arn:aws:states:us-east-1:123456789012:execution:audience:run", "name": "run",
            "startTime": "2026-11-22T16:00:00.900Z",
        }))
        .unwrap()
    }

    fn evidence<'a>(create_time: &str, run_tag: Option<&'a str>, description: Option<&'a str>) -> Evidence<'a> {
        Evidence { create_time: create_time.parse().unwrap(), run_tag, description }
    }

    #[test]
    fn a_job_with_the_runs_tag_created_since_the_start_is_ours() {
        let (run, tag) = (execution(), execution().id);
        assert!(evidence("2026-11-22T16:00:00Z", Some(&tag), None).is_of(&run));
        assert!(evidence("2026-11-22T15:59:01Z", Some(&tag), None).is_of(&run), "clocks may differ by a minute");
        assert!(!evidence("2026-11-22T15:59:00Z", Some(&tag), None).is_of(&run), "an execution of 90 days ago");
        assert!(!evidence("2026-11-22T16:00:01Z", Some("another"), None).is_of(&run));
        assert!(!evidence("2026-11-22T16:00:01Z", None, None).is_of(&run));
    }

    #[test]
    fn a_job_without_tags_is_proven_by_its_description_and_time() {
        let run = execution();
        let wanted = marked_description(Some("spring"), &run);
        let is_ours = |time, tag, description| evidence(time, tag, description).is_of_foreign(&run, Some(&wanted));
        assert!(is_ours("2026-11-22T15:59:01Z", None, Some(&wanted)));
        assert!(!is_ours("2026-11-22T15:59:00Z", None, Some(&wanted)), "before the run");
        assert!(!is_ours("2026-11-22T17:00:00Z", None, Some("spring")), "another run of the same request");
        assert!(!is_ours("2026-11-22T17:00:00Z", None, None));
        assert!(!is_ours("2026-11-22T17:00:00Z", Some("another"), Some(&wanted)), "tags count if they are shown");
    }

    #[test]
    fn the_mark_of_a_run_fits_into_every_description() {
        let run = execution();
        assert!(marked_description(None, &run).starts_with("(run "));
        assert!(marked_description(Some("spring"), &run).starts_with("spring (run "));
        let long = marked_description(Some(&"é".repeat(255)), &run);
        assert_eq!(long.chars().count(), 255);
        assert!(long.ends_with(')'), "{long}");
    }

    fn tag_of(name: &str) -> String {
        let id = format!("arn:aws:states:us-east-1:123456789012:execution:audience:{name}");
        run_tag(&Execution { id, name: name.into(), ..execution() })
    }

    #[test]
    fn a_run_is_tagged_with_its_arn_or_with_its_changed_arn_and_a_hash() {
        assert_eq!(tag_of("spring"), "arn:aws:states:us-east-1:123456789012:execution:audience:spring");
        assert!(tag_of("sale!").starts_with("arn:aws:states:us-east-1:123456789012:execution:audience:sale--"));
        assert_ne!(tag_of("sale!"), tag_of("sale("));
        assert_ne!(tag_of("sale!"), tag_of("sale-"));
    }

    #[test]
    fn our_tags_lead_back_to_the_run() {
        let tags = own_tags("stack", &execution());
        assert_eq!(tags[0], ("lookalike:stack".to_owned(), "stack".to_owned()));
        assert_eq!(tags[1], ("lookalike:run".to_owned(), execution().id));
        for reserved in ["aws:x", "AWS:x", "lookalike:run"] {
            assert!(tag_key(reserved).unwrap_err().contains("reserved"));
        }
        assert!(tag_key("awsome").is_ok() && tag_key("a").is_ok());
    }

    proptest! {
        #[test]
        fn any_execution_gives_names_that_both_services_take(execution in "\\PC{1,80}", percent in 1_i64..=100) {
            let name = name_of_execution(&execution);
            prop_assert_eq!(segment_name_of_execution(&execution).to_job_name(), name.clone());
            prop_assert!(name.as_str().len() <= 63);
            prop_assert!(name.as_str().starts_with(|c: char| c.is_ascii_alphanumeric()));
            prop_assert!(name.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            let tag = tag_of(&execution);
            prop_assert!(tag.len() <= 256 && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:/=+-@".contains(&b)));
            let size = AudienceSize::new(crate::audience_size::AudienceSizeType::Percentage, percent).unwrap();
            prop_assert!(name_of_export(&name, size).as_str().len() <= 63);
        }
    }
}
