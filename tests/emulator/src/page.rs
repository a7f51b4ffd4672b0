//! Pages of lists: `maxResults`, and a `nextToken` that says nothing to its bearer.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::request::{max_results, violation};
use crate::service::{Outcome, Query};

/// One page of a list, whose entries come with their growing numbers.
///
/// A page has no more than `at_most` entries, whatever is asked.
///
/// The token holds the last entry's number, not a place: what is deleted in between shifts nothing.
pub(crate) fn page(list: &str, query: &Query, at_most: usize, entries: impl Iterator<Item = (u64, Value)>) -> Outcome {
    let most = query.get("maxResults").map_or(Ok(100), |text| max_results(text))?.min(at_most);
    let after = match query.get("nextToken") {
        Some(token) => number_of(token, list).ok_or_else(|| violation("nextToken", "is not a token of this list"))?,
        None => 0,
    };
    let mut rest = entries.filter(|(number, _)| *number > after).peekable();
    let mut answer = json!({});
    let mut page = Vec::new();
    while page.len() < most {
        let Some((number, entry)) = rest.next() else { break };
        page.push(entry);
        if page.len() == most && rest.peek().is_some() {
            answer["nextToken"] = token(number, list).into();
        }
    }
    answer[list] = Value::Array(page);
    Ok(Some(answer))
}

fn token(number: u64, list: &str) -> String {
    format!("{list}:{number}").bytes().fold(String::new(), |mut token, byte| {
        let _ = write!(token, "{:02x}", byte ^ 0x5a);
        token
    })
}

fn number_of(text: &str, list: &str) -> Option<u64> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let bytes: Option<Vec<u8>> = pairs
        .iter()
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok().map(|byte| byte ^ 0x5a))
        .collect();
    let plain = String::from_utf8(bytes?).ok()?;
    let number = plain.strip_prefix(list)?.strip_prefix(':')?.parse().ok()?;
    // Only what this list would have written itself.
    (token(number, list) == text).then_some(number)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends where its premise fails")]

    use super::*;

    #[test]
    fn a_token_is_good_for_its_own_list_only() {
        let token = token(17, "jobs");
        assert_eq!(number_of(&token, "jobs"), Some(17));
        assert_eq!(number_of(&token, "exports"), None);
        for wrong in ["", "0", "zz", "é", "+1+2", &token.to_uppercase(), &token[2..]] {
            assert_eq!(number_of(wrong, "jobs"), None, "{wrong}");
        }
    }

    #[test]
    fn every_entry_is_on_exactly_one_page() {
        let mut query = Query::from([("maxResults".to_owned(), "3".to_owned())]);
        let mut seen = Vec::new();
        for _ in 0..4 {
            let entries = (1..=7).map(|number| (number * 10, json!(number)));
            let answer = page("jobs", &query, 100, entries).unwrap().unwrap();
            seen.extend(answer["jobs"].as_array().unwrap().iter().map(|entry| entry.as_u64().unwrap()));
            let Some(token) = answer["nextToken"].as_str() else { break };
            query.insert("nextToken".to_owned(), token.to_owned());
        }
        assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn a_list_that_fits_has_no_token() {
        let query = Query::from([("maxResults".to_owned(), "2".to_owned())]);
        let entries = (1..=2).map(|number| (number, json!(number)));
        assert!(page("jobs", &query, 100, entries).unwrap().unwrap().get("nextToken").is_none());
    }
}
