//! What items are asked for by: `ITEMS.genres IN ("Comedy", "Drama") AND ITEMS.year = "1999"`.
//!
//! `AND` binds closer than `OR`; there are no parentheses but those of a list. Keywords are read in any case, values as
//! they are.

/// An expression: any of its alternatives holds, and an alternative holds where all of its conditions do.
#[derive(Debug, PartialEq)]
pub(crate) struct Expression(pub(crate) Vec<Vec<Condition>>);

/// That an attribute has one of these values.
#[derive(Debug, PartialEq)]
pub(crate) struct Condition {
    pub(crate) attribute: String,
    pub(crate) values: Vec<String>,
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// Says at which character something else should stand, and what.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut rest = Rest { text, at: 0 };
        let mut alternatives = Vec::new();
        let mut conditions = vec![rest.condition()?];
        while !rest.is_empty() {
            if rest.takes_word("OR") {
                alternatives.push(std::mem::take(&mut conditions));
            } else if !rest.takes_word("AND") {
                return Err(rest.expected("AND or OR"));
            }
            conditions.push(rest.condition()?);
        }
        alternatives.push(conditions);
        Ok(Self(alternatives))
    }
}

/// What has not been read yet: the text from this byte on.
struct Rest<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Rest<'t> {
    fn condition(&mut self) -> Result<Condition, String> {
        let attribute = self.attribute().ok_or_else(|| self.expected("ITEMS.<attribute>"))?;
        let mut values = Vec::new();
        if self.takes('=') {
            values.push(self.value()?);
        } else if self.takes_word("IN") {
            self.sign('(', "(")?;
            values.push(self.value()?);
            while self.takes(',') {
                values.push(self.value()?);
            }
            self.sign(')', ", or )")?;
        } else {
            return Err(self.expected("= or IN"));
        }
        Ok(Condition { attribute, values })
    }

    fn attribute(&mut self) -> Option<String> {
        let (dataset, attribute) = self.word().split_once('.')?;
        if !dataset.eq_ignore_ascii_case("ITEMS") || attribute.is_empty() {
            return None;
        }
        self.at += dataset.len() + 1 + attribute.len();
        Some(attribute.to_owned())
    }

    fn value(&mut self) -> Result<String, String> {
        let value = self.ahead().strip_prefix('"').and_then(|text| text.split_once('"'));
        let (value, _) = value.ok_or_else(|| self.expected("a value in double quotes"))?;
        self.at += value.len() + 2;
        Ok(value.to_owned())
    }

    fn sign(&mut self, sign: char, expected: &str) -> Result<(), String> {
        if self.takes(sign) { Ok(()) } else { Err(self.expected(expected)) }
    }

    fn takes(&mut self, sign: char) -> bool {
        let takes = self.ahead().starts_with(sign);
        self.at += if takes { sign.len_utf8() } else { 0 };
        takes
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let takes = self.word().eq_ignore_ascii_case(word);
        self.at += if takes { word.len() } else { 0 };
        takes
    }

    fn word(&mut self) -> &'t str {
        let ahead = self.ahead();
        let is_of_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        &ahead[..ahead.find(|c| !is_of_word(c)).unwrap_or(ahead.len())]
    }

    fn is_empty(&mut self) -> bool {
        self.ahead().is_empty()
    }

    /// The text ahead, behind the white space.
    fn ahead(&mut self) -> &'t str {
        let ahead = self.text[self.at..].trim_start();
        self.at = self.text.len() - ahead.len();
        ahead
    }

    fn expected(&self, what: &str) -> String {
        format!("At character {} of itemAttributes {what} is expected.", self.text[..self.at].chars().count() + 1)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends where its premise fails")]

    use super::*;

    fn condition(attribute: &str, values: &[&str]) -> Condition {
        Condition { attribute: attribute.to_owned(), values: values.iter().map(|value| (*value).to_owned()).collect() }
    }

    #[test]
    fn an_attribute_equals_a_value_or_has_one_of_a_list() {
        let read = |text| Expression::read(text).unwrap().0;
        assert_eq!(read(r#"ITEMS.genres = "Comedy""#), [[condition("genres", &["Comedy"])]]);
        assert_eq!(read(r#" items.GENRES="Sci-fi & more, é" "#), [[condition("GENRES", &["Sci-fi & more, é"])]]);
        assert_eq!(read(r#"ITEMS.x in ("a","b" , "")"#), [[condition("x", &["a", "b", ""])]]);
    }

    #[test]
    fn and_binds_closer_than_or() {
        let read =
            Expression::read(r#"ITEMS.a = "1" AND ITEMS.b = "2" OR ITEMS.c = "3" and ITEMS.d IN ("4")"#).unwrap();
        let one = vec![condition("a", &["1"]), condition("b", &["2"])];
        let other = vec![condition("c", &["3"]), condition("d", &["4"])];
        assert_eq!(read.0, [one, other]);
    }

    #[test]
    fn what_is_no_expression_is_told_with_the_place_and_without_its_text() {
        let cases = [
            ("", "At character 1 of itemAttributes ITEMS.<attribute> is expected."),
            ("genres = \"x\"", "At character 1 of itemAttributes ITEMS.<attribute> is expected."),
            ("USERS.age = \"x\"", "At character 1 of itemAttributes ITEMS.<attribute> is expected."),
            ("ITEMS.x", "At character 8 of itemAttributes = or IN is expected."),
            ("ITEMS.x > \"1\"", "At character 9 of itemAttributes = or IN is expected."),
            ("ITEMS.x = secret", "At character 11 of itemAttributes a value in double quotes is expected."),
            ("ITEMS.x = \"secret", "At character 11 of itemAttributes a value in double quotes is expected."),
            ("ITEMS.x IN \"a\"", "At character 12 of itemAttributes ( is expected."),
            ("ITEMS.x IN (\"é\"", "At character 16 of itemAttributes , or ) is expected."),
            ("ITEMS.x = \"é\" , ITEMS.y = \"b\"", "At character 15 of itemAttributes AND or OR is expected."),
            ("ITEMS.x = \"a\" AND", "At character 18 of itemAttributes ITEMS.<attribute> is expected."),
        ];
        for (text, told) in cases {
            assert_eq!(Expression::read(text).unwrap_err(), told, "{text}");
        }
    }
}
