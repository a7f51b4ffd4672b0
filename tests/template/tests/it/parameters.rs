//! Two values for each parameter of the template, and who has to see a change.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use crate::expansion::EXPANSION;
use crate::resolve::text_of;

/// Parameter values by name.
pub(crate) type Values = BTreeMap<&'static str, &'static str>;

/// Who has to see a changed value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// The next run: the value is part of a workflow's definition.
    Run,
    /// A resource of the stack.
    Resource,
    /// A function's variable, also in a published version: the value is part of the version's description.
    Version,
}

/// A parameter of the template.
pub(crate) struct Parameter {
    /// Its name.
    pub(crate) name: &'static str,
    /// Two valid values, neither of which is the default.
    pub(crate) values: [&'static str; 2],
    /// Who has to see a change.
    pub(crate) reader: Reader,
}

const fn row(name: &'static str, first: &'static str, second: &'static str, reader: Reader) -> Parameter {
    Parameter { name, values: [first, second], reader }
}

/// Every parameter. A new one needs a row.
pub(crate) static TABLE: [Parameter; 21] = [
    row(
        "ConfiguredAudienceModelArn",
        "arn:aws:cleanrooms-ml:eu-west-1:123456789012:configured-audience-model/a",
        "arn:aws:cleanrooms-ml:eu-west-1:444455556666:configured-audience-model/b",
        Reader::Run,
    ),
    row("SeedRoleArn", "arn:aws:iam::123456789012:role/a", "arn:aws:iam::123456789012:role/b", Reader::Run),
    row("SegmentRoleArn", "arn:aws:iam::123456789012:role/a", "arn:aws:iam::123456789012:role/b", Reader::Run),
    row("ExportPolicy", "5pct,10000", "relevance>=0.7", Reader::Run),
    row("CollaborationId", "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002", Reader::Run),
    // Its readers are the seed role and, by whether it is set, a run: see the test of set and unset values.
    row(
        "MembershipId",
        "00000000-0000-0000-0000-000000000003",
        "00000000-0000-0000-0000-000000000004",
        Reader::Resource,
    ),
    row("DeadlineSeconds", "3600", "7200", Reader::Run),
    row("PollMinSeconds", "20", "30", Reader::Run),
    row("PollMaxSeconds", "1000", "2000", Reader::Run),
    row("NotificationEmail", "a@example.com", "b@example.com", Reader::Resource),
    row("RetainAudienceDays", "10", "20", Reader::Resource),
    row(
        "KmsKeyArn",
        "arn:aws:kms:eu-west-1:123456789012:key/a",
        "arn:aws:kms:eu-west-1:123456789012:key/b",
        Reader::Resource,
    ),
    row("AccessLogBucket", "log-bucket-a", "log-bucket-b", Reader::Resource),
    row("SeedRetentionDays", "10", "20", Reader::Resource),
    row("ObjectLockDays", "10", "20", Reader::Resource),
    row("LogRetentionDays", "60", "90", Reader::Resource),
    row("Tracing", "Active", "Disabled", Reader::Resource),
    row("ExpectedSeconds", "3600", "7200", Reader::Resource),
    row("Architecture", "x86_64", "arm64", Reader::Resource),
    row("CleanRoomsMlEndpoint", "http://127.0.0.1:8001", "http://127.0.0.1:8002", Reader::Version),
    row("PersonalizeEndpoint", "http://127.0.0.1:8001", "http://127.0.0.1:8002", Reader::Version),
];

impl Parameter {
    /// Returns the value of the one parameter that has no default.
    pub(crate) fn defaults() -> Values {
        Values::from([(TABLE[0].name, TABLE[0].values[0])])
    }

    /// Returns each parameter's first value.
    pub(crate) fn all_set() -> Values {
        TABLE.iter().map(|parameter| (parameter.name, parameter.values[0])).collect()
    }

    /// Returns the defaults with this parameter at a value.
    pub(crate) fn set_to(&self, value: &'static str) -> Values {
        let mut values = Self::defaults();
        values.insert(self.name, value);
        values
    }

    /// Returns the changes from unset to a value, and from one value to another.
    pub(crate) fn changes(&self) -> [[Values; 2]; 2] {
        let [first, second] = self.both();
        [[Self::defaults(), first.clone()], [first, second]]
    }

    /// Returns the defaults with this parameter at each of its values.
    pub(crate) fn both(&self) -> [Values; 2] {
        self.values.map(|value| self.set_to(value))
    }
}

/// The parameters of the template as they are declared.
pub(crate) static DECLARED: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    let template = EXPANSION.template(&Parameter::defaults());
    serde_json::from_value(template["Parameters"].clone()).unwrap()
});

#[test]
fn each_parameter_of_the_template_has_a_row_here() {
    let rows: Vec<_> = TABLE.iter().map(|parameter| parameter.name).collect();
    let without_row: Vec<_> = DECLARED.keys().filter(|name| !rows.contains(&name.as_str())).collect();
    assert!(without_row.is_empty(), "add rows for {without_row:?}, with who has to see a change");
    let unknown: Vec<_> = rows.iter().filter(|name| !DECLARED.contains_key(**name)).collect();
    assert!(unknown.is_empty(), "the template has no parameters {unknown:?}: remove their rows");
}

#[test]
fn the_values_of_each_row_are_valid() {
    for parameter in &TABLE {
        for value in parameter.values {
            assert!(is_valid(parameter.name, value), "{}: {value}", parameter.name);
        }
    }
}

/// Returns whether the template accepts a value for a parameter.
pub(crate) fn is_valid(name: &str, value: &str) -> bool {
    let declared = &DECLARED[name];
    if let Some(allowed) = declared["AllowedValues"].as_array() {
        return allowed.iter().any(|allowed| text_of(allowed) == value);
    }
    let limit = |limit: &str| declared[limit].as_f64();
    if declared["Type"] == "Number" {
        let number: f64 = value.parse().unwrap_or(f64::NAN);
        return number >= limit("MinValue").unwrap_or(f64::MIN) && number <= limit("MaxValue").unwrap_or(f64::MAX);
    }
    let length = u32::try_from(value.chars().count()).unwrap();
    let pattern = declared["AllowedPattern"].as_str().map(|pattern| format!("^(?:{pattern})$"));
    limit("MaxLength").is_none_or(|max| f64::from(length) <= max)
        && limit("MinLength").is_none_or(|min| f64::from(length) >= min)
        && pattern.is_none_or(|pattern| regex_lite::Regex::new(&pattern).unwrap().is_match(value))
}
