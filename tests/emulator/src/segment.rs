//! User segments: who is most drawn to an item, or to the items with some attributes.
//!
//! A file of input has a line for each segment, `{"itemId": "…"}` or `{"itemAttributes": "…"}` as the solution version's
//! recipe has it, and the output has a line for each of these. A line that can't be answered says why, and spoils no other.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::attributes::Expression;
use crate::audience::ranking;
use crate::items::Items;
use crate::training::Training;

/// What ranks users.
pub(crate) struct Affinity {
    pub(crate) training: Arc<Training>,
    pub(crate) to: AffinityTo,
}

/// What users are ranked by their affinity to.
pub(crate) enum AffinityTo {
    /// One item: `aws-item-affinity`.
    Item,
    /// Items with attributes: `aws-item-attribute-affinity`.
    Attributes(Items),
}

/// The answer to a line. No `Debug`: it holds user ids.
#[derive(Serialize)]
struct OutputLine<'a> {
    /// The line as JSON, or as a text where it is none.
    input: Value,
    output: Option<Segment<'a>>,
    error: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Segment<'a> {
    users_list: Vec<&'a str>,
}

impl Affinity {
    /// The output for a file of input: the first so many users of each line's segment.
    pub(crate) fn answer(&self, input: &[u8], num_results: usize) -> Vec<u8> {
        let mut output = Vec::new();
        for line in lines(input) {
            let json = serde_json::from_slice::<Value>(line);
            let users = json.as_ref().map_err(|_| "The line is not JSON.".to_owned());
            let users = users.and_then(|json| self.users(json, num_results));
            let input = json.unwrap_or_else(|_| String::from_utf8_lossy(line).into());
            let (segment, error) = match users {
                Ok(users_list) => (Some(Segment { users_list }), None),
                Err(error) => (None, Some(error)),
            };
            // A Vec never refuses to be written to.
            let _ = serde_json::to_writer(&mut output, &OutputLine { input, output: segment, error });
            output.push(b'\n');
        }
        output
    }

    fn users(&self, line: &Value, num_results: usize) -> Result<Vec<&str>, String> {
        let items = match &self.to {
            AffinityTo::Item => {
                let id = only_member(line, "itemId")?;
                vec![self.training.item(id).ok_or("The item is not in the training data.")?]
            }
            AffinityTo::Attributes(items) => {
                let expression = Expression::read(only_member(line, "itemAttributes")?)?;
                let ids = items.matching(&expression)?;
                ids.into_iter().filter_map(|id| self.training.item(id)).collect()
            }
        };
        if items.is_empty() {
            return Err("No item of the training data has these attributes.".to_owned());
        }
        let ranked = ranking(&self.training.affinity_to(&items), &[]);
        Ok(ranked.into_iter().take(num_results).map(|user| self.training.user_id(user)).collect())
    }
}

/// The lines of a file, of which the last need not end.
pub(crate) fn lines(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    let text = input.strip_suffix(b"\n").unwrap_or(input);
    text.split(|byte| *byte == b'\n').filter(|_| !input.is_empty())
}

fn only_member<'l>(line: &'l Value, name: &str) -> Result<&'l str, String> {
    let members = line.as_object().filter(|members| members.len() == 1);
    let text = members.and_then(|members| members.get(name)).and_then(Value::as_str);
    text.ok_or_else(|| format!(r#"The line is not {{"{name}": "…"}}, as the recipe has it."#))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends where its premise fails")]

    use serde_json::json;

    use super::*;

    fn training() -> Arc<Training> {
        let csv = "user_id,item_id,timestamp\na,shoes,1\na,socks,1\nb,shoes,1\nc,socks,1\nd,pot,1\ne,pot,1\ne,pan,1\n";
        Arc::new(Training::read(csv.as_bytes()).unwrap())
    }

    fn answers(to: AffinityTo, input: &str, num_results: usize) -> Vec<Value> {
        let output = Affinity { training: training(), to }.answer(input.as_bytes(), num_results);
        String::from_utf8(output).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn by_attributes(input: &str, num_results: usize) -> Vec<Value> {
        let csv = "item_id,KIND\nshoes,sport\nsocks,sport\npot,kitchen\nbook,paper\n";
        answers(AffinityTo::Attributes(Items::read(csv.as_bytes()).unwrap()), input, num_results)
    }

    #[test]
    fn users_of_related_items_rank_before_users_of_the_item_alone() {
        let answer = answers(AffinityTo::Item, r#"{"itemId": "shoes"}"#, 10).remove(0);
        let users = &answer["output"]["usersList"];
        assert_eq!(users.as_array().unwrap()[..3], ["a", "b", "c"]);
        assert_eq!(users.as_array().unwrap().len(), 5);
        assert_eq!(answer["input"], json!({"itemId": "shoes"}));
        assert_eq!(answer["error"], Value::Null);
    }

    #[test]
    fn a_segment_has_as_many_users_as_are_asked_for() {
        let answers = answers(AffinityTo::Item, "{\"itemId\":\"pot\"}\n{\"itemId\":\"shoes\"}\n", 2);
        assert_eq!(answers[0]["output"], json!({"usersList": ["e", "d"]}));
        assert_eq!(answers[1]["output"], json!({"usersList": ["a", "b"]}));
    }

    #[test]
    fn items_with_attributes_are_taken_together() {
        let answers = by_attributes(r#"{"itemAttributes": "ITEMS.kind = \"sport\""}"#, 3);
        let mut users: Vec<_> = answers[0]["output"]["usersList"].as_array().unwrap().clone();
        users.sort_by_key(ToString::to_string);
        assert_eq!(users, ["a", "b", "c"]);
    }

    #[test]
    fn a_line_that_cant_be_answered_says_why_and_spoils_no_other() {
        let input = "{\"itemId\":\"pot\"}\nno JSON\n\n{\"itemId\":\"sofa\"}\n{\"itemAttributes\":\"\"}\n[]\n\
                     {\"itemId\":\"pot\",\"more\":1}\n{\"itemId\":7}\n{\"itemId\":\"pan\"}";
        let answers = answers(AffinityTo::Item, input, 1);
        let told: Vec<&str> = answers.iter().map(|answer| answer["error"].as_str().unwrap_or("none")).collect();
        let (no_json, wrong) = ("The line is not JSON.", "The line is not {\"itemId\": \"…\"}, as the recipe has it.");
        let unknown = "The item is not in the training data.";
        assert_eq!(told, ["none", no_json, no_json, unknown, wrong, wrong, wrong, wrong, "none"]);
        assert!(answers.iter().all(|answer| answer["output"].is_null() == answer["error"].is_string()));
        assert_eq!(answers[1]["input"], "no JSON");
        assert_eq!(answers[3]["input"], json!({"itemId": "sofa"}));
    }

    #[test]
    fn attributes_that_lead_to_no_item_say_so() {
        let told = |expression: &str| {
            let line = json!({ "itemAttributes": expression }).to_string();
            by_attributes(&line, 1).remove(0)["error"].as_str().unwrap().to_owned()
        };
        let nobody = "No item of the training data has these attributes.";
        assert_eq!(told(r#"ITEMS.kind = "garden""#), nobody);
        assert_eq!(told(r#"ITEMS.kind = "paper""#), nobody);
        assert_eq!(told(r#"ITEMS.colour = "red""#), "The items have no attribute colour.");
        assert!(told("kind = sport").contains("character 1"));
    }

    #[test]
    fn a_file_without_a_line_has_no_answer() {
        assert_eq!(lines(b"").count(), 0);
        assert_eq!(lines(b"a").count(), 1);
        assert_eq!(lines(b"a\nb\n").count(), 2);
    }
}
