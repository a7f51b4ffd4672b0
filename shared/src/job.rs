//! The jobs of a run: their names, the tags that lead back to the run, and whether a job that is there is ours.
//!
//! Neither service takes a client token, so a name that is the same on every attempt stands for one.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::audience_size::AudienceSize;
use crate::error::{Error, ErrorName};
use crate::execution::{Execution, Moment};
use crate::once::Found;
use crate::request::AudienceRequest;
use crate::segment_request::SegmentRequest;
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
    [(STACK_TAG.into(), stack.into()), ("lookalike:run".into(), execution.id.clone())]
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

/// A job that was found under our name, by what a list tells of it.
#[derive(Clone, Debug)]
pub struct Listed<'a> {
    /// When the job was created.
    pub create_time: Moment,
    /// What it was asked for, field by field; a list does not tell everything.
    pub asked: Vec<(&'static str, Option<&'a str>)>,
}

impl Listed<'_> {
    /// Whether the job is this run's: created after the execution started, and asking for the same. `job` is what the
    /// service calls it.
    ///
    /// Errors as `Conflict` where it was created since and asks for something else.
    pub fn found<J>(
        &self,
        job: J,
        name: &JobName,
        execution: &Execution,
        wanted: &[(&'static str, Option<&str>)],
    ) -> Result<Found<J>, Error> {
        let conflict = |what: String| {
            Error::new(ErrorName::Conflict, format!("A job named {name} exists already, {what}. Choose another name."))
        };
        if !execution.may_have_created(self.create_time) {
            let what = format!("created at {}, before this run started at {}", self.create_time, execution.start_time);
            return Ok(Found::Older(conflict(what)));
        }
        for (field, value) in wanted {
            if self.asked.iter().any(|(asked, theirs)| asked == field && theirs != value) {
                return Err(conflict(format!("and its {field} is another")));
            }
        }
        Ok(Found::Ours(job))
    }
}

/// What a list of generation jobs tells of a request, to compare.
#[must_use]
pub fn wanted_generation(request: &AudienceRequest) -> Vec<(&'static str, Option<&str>)> {
    vec![
        ("configuredAudienceModelArn", Some(request.configured_audience_model_arn.as_str())),
        ("collaborationId", request.collaboration_id.as_ref().map(|id| id.as_str())),
        ("description", request.description.as_ref().map(|text| text.as_str()).filter(|text| !text.is_empty())),
    ]
}

/// What a list of batch segment jobs tells of a request, to compare.
#[must_use]
pub fn wanted_segment(request: &SegmentRequest) -> Vec<(&'static str, Option<&str>)> {
    vec![("solutionVersionArn", Some(request.solution_version_arn.as_str()))]
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

    fn found(create_time: &str, asked: &[(&'static str, Option<&str>)]) -> Result<Found<()>, Error> {
        let listed = Listed { create_time: create_time.parse().unwrap(), asked: asked.to_vec() };
        let wanted = [("model", Some("m")), ("collaboration", None)];
        listed.found((), &"run".parse().unwrap(), &execution(), &wanted)
    }

    #[test]
    fn a_job_created_since_the_start_that_asks_for_the_same_is_ours() {
        let same = found("2026-11-22T16:00:00Z", &[("model", Some("m")), ("collaboration", None)]);
        assert!(matches!(same, Ok(Found::Ours(()))));
        assert!(matches!(found("2026-11-22T19:00:00Z", &[("model", Some("m"))]), Ok(Found::Ours(()))));
    }

    #[test]
    fn an_older_job_or_one_that_asks_for_another_is_a_conflict() {
        let Ok(Found::Older(older)) = found("2026-11-22T15:59:59Z", &[("model", Some("m"))]) else {
            panic!("it is older")
        };
        assert_eq!(older.name, ErrorName::Conflict);
        assert!(older.message.contains("before this run started"), "{}", older.message);
        let other = found("2026-11-22T16:00:01Z", &[("model", Some("n"))]).unwrap_err();
        assert!(other.message.contains("its model is another"), "{}", other.message);
        assert!(found("2026-11-22T16:00:01Z", &[("collaboration", Some("c"))]).is_err());
    }

    #[test]
    fn a_segment_job_is_compared_by_its_solution_version() {
        let version = "arn:aws:personalize:us-east-1:123456789012:solution/runners/1b2c3d4e";
        let data = serde_json::json!({"path": "s3://b/x"});
        let request = SegmentRequest::read(
            &serde_json::json!({
                "jobName": "n", "solutionVersionArn": version, "roleArn": "arn:aws:iam::123456789012:role/r",
                "jobInput": {"s3DataSource": data}, "jobOutput": {"s3DataDestination": {"path": "s3://b/y/"}},
                "deadlineSeconds": 1,
            }),
            &crate::segment_request::SegmentDefaults::default(),
        )
        .unwrap();
        assert_eq!(wanted_segment(&request), [("solutionVersionArn", Some(version))]);
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

    #[test]
    fn an_empty_description_is_none_for_a_list() {
        let request = AudienceRequest::read(&serde_json::json!({
            "name": "n", "deadlineSeconds": 1, "tags": {"team": "growth"}, "description": "",
            "configuredAudienceModelArn": "arn:aws:cleanrooms-ml:us-east-1:123456789012:configured-audience-model/3f2a",
            "seedAudience": {"roleArn": "arn:aws:iam::123456789012:role/seed", "dataSource": {"s3Uri": "s3://b/k"}},
        }), &crate::request::Defaults::default()).ok().unwrap();
        let wanted = wanted_generation(&request);
        assert_eq!(wanted[0].1, Some(request.configured_audience_model_arn.as_str()));
        assert_eq!((wanted[1].1, wanted[2].1), (None, None));
    }

    proptest! {
        #[test]
        fn any_execution_gives_names_that_both_services_take(execution in "\\PC{1,80}", percent in 1_i64..=100) {
            let name = name_of_execution(&execution);
            prop_assert_eq!(segment_name_of_execution(&execution).to_job_name(), name.clone());
            prop_assert!(name.as_str().len() <= 63);
            prop_assert!(name.as_str().starts_with(|c: char| c.is_ascii_alphanumeric()));
            prop_assert!(name.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            let size = AudienceSize::new(crate::audience_size::AudienceSizeType::Percentage, percent).unwrap();
            prop_assert!(name_of_export(&name, size).as_str().len() <= 63);
        }
    }
}
