//! Pages of lists, and tokens that say nothing to their bearers.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// The page that is asked for.
#[derive(Default)]
pub(crate) struct Asked {
    /// At most so many entries: `maxResults`.
    pub(crate) most: Option<usize>,
    /// Behind this one: `nextToken`.
    pub(crate) token: Option<String>,
}

/// A token that no list of that name has given.
#[derive(Debug)]
pub(crate) struct ForeignToken;

/// One page of a list, whose entries come with their growing numbers.
///
/// A page has no more than `at_most` entries, whatever is asked.
///
/// The token holds the last entry's number, not a place: what is deleted in between shifts nothing.
pub(crate) fn page(
    list: &str,
    asked: &Asked,
    at_most: usize,
    entries: impl Iterator<Item = (u64, Value)>,
) -> Result<Value, ForeignToken> {
    let most = asked.most.unwrap_or(100).min(at_most);
    let after = asked.token.as_deref().map_or(Ok(0), |token| number_of(token, list).ok_or(ForeignToken))?;
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
    Ok(answer)
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
        let mut asked = Asked { most: Some(3), token: None };
        let mut seen = Vec::new();
        for _ in 0..4 {
            let entries = (1..=7).map(|number| (number * 10, json!(number)));
            let answer = page("jobs", &asked, 100, entries).unwrap();
            seen.extend(answer["jobs"].as_array().unwrap().iter().map(|entry| entry.as_u64().unwrap()));
            let Some(token) = answer["nextToken"].as_str() else { break };
            asked.token = Some(token.to_owned());
        }
        assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn a_list_that_fits_has_no_token() {
        let asked = Asked { most: Some(2), token: None };
        let entries = (1..=2).map(|number| (number, json!(number)));
        assert!(page("jobs", &asked, 100, entries).unwrap().get("nextToken").is_none());
    }
}
