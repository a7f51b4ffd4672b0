//! What came of a run: its seed, the relevance of each size, and the exports.

use std::fmt;

use local_aws::{Execution, LocalAws, Result};
use serde::Deserialize;
use serde_json::Value;

/// What the workflow answers, as far as it is shown.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    name: String,
    seed: Option<Seed>,
    #[serde(default)]
    skipped: Vec<String>,
    metrics: Option<Metrics>,
    #[serde(default)]
    exports: Vec<Export>,
    report: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Seed {
    users: u64,
    unique_users: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metrics {
    #[serde(default)]
    relevance_metrics: Vec<Relevance>,
    recall_metric: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Relevance {
    audience_size: Size,
    score: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Export {
    audience_size: Size,
    status: String,
    output_location: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Size {
    #[serde(rename = "type")]
    kind: String,
    value: u64,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if self.kind == "PERCENTAGE" { format!("{} %", self.value) } else { thousands(self.value) };
        f.pad(&text)
    }
}

/// The answer, and how many users each export has.
pub(crate) struct Report {
    answer: Answer,
    users: Vec<Option<u64>>,
}

impl Report {
    /// The report of a run that has ended well, or in plain words why there is none.
    pub(crate) async fn of(aws: &LocalAws, output: &Value) -> Result<std::result::Result<Self, String>> {
        let answer: Answer = match serde_json::from_value(output.clone()) {
            Ok(answer) => answer,
            Err(e) => return Ok(Err(format!("The run answered something else than a report ({e}):\n  {output}\n"))),
        };
        let mut users = Vec::new();
        for export in &answer.exports {
            users.push(match &export.output_location {
                Some(location) => Some(count(aws, location).await?),
                None => None,
            });
        }
        Ok(Ok(Self { answer, users }))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Answer { name, seed, skipped, metrics, exports, report } = &self.answer;
        writeln!(f, "Audience {name}")?;
        if let Some(Seed { users, unique_users }) = seed {
            writeln!(f, "  Seed      {} users, {} unique", thousands(*users), thousands(*unique_users))?;
        }
        if !skipped.is_empty() {
            writeln!(f, "  Skipped   the check of {}", skipped.join(", "))?;
        }
        let relevance = metrics.as_ref().map_or(&[][..], |metrics| &metrics.relevance_metrics);
        if let Some(recall) = metrics.as_ref().and_then(|metrics| metrics.recall_metric) {
            writeln!(f, "  Recall    {recall:.3}")?;
        }
        if let Some(report) = report {
            writeln!(f, "  Report    {report}")?;
        }
        if relevance.is_empty() && exports.is_empty() {
            return Ok(());
        }
        writeln!(f, "\n  {:>10} {:>11} {:>10}   Export", "Size", "Relevance", "Users")?;
        let of = |size: &Size| exports.iter().zip(&self.users).find(|(export, _)| export.audience_size == *size);
        let scored = relevance.iter().map(|relevance| (&relevance.audience_size, relevance.score));
        let sizes = exports.iter().map(|export| &export.audience_size);
        let unscored = sizes.filter(|size| !relevance.iter().any(|scored| scored.audience_size == **size));
        for (size, score) in scored.chain(unscored.map(|size| (size, None))) {
            let score = score.map_or_else(|| "–".to_owned(), |score| format!("{score:.3}"));
            let (status, users) = of(size).map_or(("–", None), |(export, users)| (export.status.as_str(), *users));
            let users = users.map_or_else(|| "–".to_owned(), thousands);
            writeln!(f, "  {size:>10} {score:>11} {users:>10}   {status}")?;
        }
        if exports.is_empty() {
            return Ok(());
        }
        writeln!(f)?;
        for Export { audience_size, output_location, .. } in exports {
            writeln!(
                f,
                "  {audience_size:>4}  {}",
                output_location.as_deref().unwrap_or("at a place that is not told")
            )?;
        }
        Ok(())
    }
}

/// How a run failed.
pub(crate) fn failure(execution: &Execution) -> String {
    let error = execution.error.as_deref().unwrap_or(execution.status.as_str());
    let cause = execution.cause.as_deref().unwrap_or("no cause was given");
    format!("The run {} failed: {error}\n  {}\n", execution.name, plain(cause).replace('\n', "\n  "))
}

/// How many lines the objects of an export have.
async fn count(aws: &LocalAws, location: &str) -> Result<u64> {
    let mut lines = 0;
    for object in aws.list(location).await? {
        let body = aws.read(&object).await?;
        lines += body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count() as u64;
    }
    Ok(lines)
}

/// The message of a function's error, which Step Functions wraps into JSON.
fn plain(cause: &str) -> String {
    serde_json::from_str::<Value>(cause)
        .ok()
        .and_then(|json| json["errorMessage"].as_str().map(str::to_owned))
        .unwrap_or_else(|| cause.to_owned())
}

/// 1234567 as `1,234,567`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
