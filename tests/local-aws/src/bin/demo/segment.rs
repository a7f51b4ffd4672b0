//! A segment run: its input and its request, and what came of it.

use std::fmt;

use local_aws::{LocalAws, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::report::thousands;

/// The emulator's solution versions (`tests/data/emulator.json`).
const ITEMS: &str = "arn:aws:personalize:us-east-1:000000000000:solution/sample-item-affinity/1a2b3c4d";
const ATTRIBUTES: &str = "arn:aws:personalize:us-east-1:000000000000:solution/sample-item-attribute-affinity/5e6f7a8b";

/// Uploads an input and the request for its segments. Answers the request's key.
pub(crate) async fn upload(aws: &LocalAws, file: &str, input: Vec<u8>) -> Result<String> {
    let bucket = aws.output("SeedBucketName")?;
    let has_attributes = input.windows(b"itemAttributes".len()).any(|word| word == b"itemAttributes");
    let place = format!("segments/input/{file}");
    let name = file.split('.').next().unwrap_or(file);
    let request = json!({
        "solutionVersionArn": if has_attributes { ATTRIBUTES } else { ITEMS },
        "numResults": 100,
        "jobInput": {"s3DataSource": {"path": format!("s3://{bucket}/{place}")}},
        "jobOutput": {"s3DataDestination": {"path": format!("s3://{bucket}/segment-output/{name}/")}},
    });
    aws.upload(&place, input, &[]).await?;
    let key = format!("segments/{name}.json");
    aws.upload(&key, request.to_string(), &[]).await?;
    Ok(key)
}

/// What the workflow answers, as far as it is shown.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    name: String,
    #[serde(default)]
    warnings: Vec<String>,
    output: Option<Output>,
    output_location: String,
    report: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Output {
    lines: u64,
    users: u64,
    error_lines: u64,
}

/// A line of the output.
#[derive(Debug, Deserialize)]
struct Line {
    input: Value,
    output: Option<Segment>,
    error: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Segment {
    users_list: Vec<String>,
}

/// The answer, and the lines of the output.
pub(crate) struct Segments {
    answer: Answer,
    lines: Vec<Line>,
}

impl Segments {
    /// The segments of a run that has ended well, or in plain words why there are none.
    pub(crate) async fn of(aws: &LocalAws, output: &Value) -> Result<std::result::Result<Self, String>> {
        let answer: Answer = match serde_json::from_value(output.clone()) {
            Ok(answer) => answer,
            Err(e) => return Ok(Err(format!("The run answered something else than segments ({e}):\n  {output}\n"))),
        };
        let mut lines = Vec::new();
        for object in aws.list(&answer.output_location).await? {
            let body = aws.read(&object).await?;
            lines.extend(serde_json::Deserializer::from_slice(&body).into_iter().filter_map(std::result::Result::ok));
        }
        Ok(Ok(Self { answer, lines }))
    }
}

impl fmt::Display for Segments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Answer { name, warnings, output, output_location, report } = &self.answer;
        writeln!(f, "Segments {name}")?;
        if let Some(Output { lines, users, error_lines }) = output {
            writeln!(f, "  Lines     {lines}, of them {error_lines} with an error")?;
            writeln!(f, "  Users     {}", thousands(*users))?;
        }
        for warning in warnings {
            writeln!(f, "  Warning   {warning}")?;
        }
        if let Some(report) = report {
            writeln!(f, "  Report    {report}")?;
        }
        writeln!(f, "  Output    {output_location}\n")?;
        writeln!(f, "  {:>8}   Input", "Users")?;
        for Line { input, output, error } in &self.lines {
            let users =
                output.as_ref().map_or_else(|| "–".to_owned(), |segment| thousands(segment.users_list.len() as u64));
            let error = error.as_ref().map_or_else(String::new, |error| format!("   {error}"));
            writeln!(f, "  {users:>8}   {input}{error}")?;
        }
        Ok(())
    }
}
