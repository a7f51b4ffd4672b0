//! What there is to know of items: a CSV file with `item_id` and a column for each attribute. An item with more than one
//! value of an attribute has `|` between them.

use crate::attributes::{Condition, Expression};

/// Items and their attributes.
pub(crate) struct Items {
    attributes: Vec<String>,
    items: Vec<Item>,
}

struct Item {
    id: String,
    /// Of each attribute, in their order.
    values: Vec<String>,
}

impl Items {
    /// Reads a CSV file.
    ///
    /// # Errors
    /// Names the line and what is wrong with it.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
        let mut lines = text.lines();
        let header = lines.next().and_then(|header| header.strip_prefix("item_id,"));
        let header = header.ok_or("line 1: the column item_id and one for each attribute are needed")?;
        let attributes: Vec<String> = header.split(',').map(str::to_owned).collect();
        let item = |(line, number): (&str, usize)| {
            let mut fields = line.split(',').map(str::to_owned);
            let id = fields.next().filter(|id| !id.is_empty());
            let values: Vec<String> = fields.collect();
            match id {
                _ if line.contains('"') => Err(format!("line {number}: quotes are not supported")),
                Some(id) if values.len() == attributes.len() => Ok(Item { id, values }),
                Some(_) => Err(format!("line {number}: it has not as many fields as the header")),
                None => Err(format!("line {number}: item_id is empty")),
            }
        };
        let items = lines.zip(2..).map(item).collect::<Result<_, _>>()?;
        Ok(Self { attributes, items })
    }

    /// The ids of the items of which the expression holds.
    ///
    /// # Errors
    /// Where there is no such attribute.
    pub(crate) fn matching(&self, expression: &Expression) -> Result<Vec<&str>, String> {
        let place = |condition: &Condition| {
            let place = self.attributes.iter().position(|name| name.eq_ignore_ascii_case(&condition.attribute));
            place.ok_or_else(|| format!("The items have no attribute {}.", condition.attribute))
        };
        let mut alternatives = Vec::new();
        for conditions in &expression.0 {
            let of = |condition| Ok((place(condition)?, condition));
            alternatives.push(conditions.iter().map(of).collect::<Result<Vec<_>, String>>()?);
        }
        let has = |item: &Item, (place, condition): &(usize, &Condition)| {
            item.values[*place].split('|').any(|value| condition.values.iter().any(|asked| asked == value))
        };
        let holds = |item: &&Item| alternatives.iter().any(|all| all.iter().all(|condition| has(item, condition)));
        Ok(self.items.iter().filter(holds).map(|item| item.id.as_str()).collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends where its premise fails")]

    use super::*;

    const ITEMS: &str = "item_id,GENRES,YEAR\na,Comedy|Drama,1999\nb,Comedy,2001\nc,Drama,1999\nd,,\n";

    fn matching(text: &str) -> Result<String, String> {
        let items = Items::read(ITEMS.as_bytes()).unwrap();
        items.matching(&Expression::read(text).unwrap()).map(|ids| ids.concat())
    }

    #[test]
    fn an_item_has_every_one_of_its_values() {
        assert_eq!(matching(r#"ITEMS.genres = "Comedy""#).unwrap(), "ab");
        assert_eq!(matching(r#"ITEMS.genres = "Comedy" AND ITEMS.GENRES = "Drama""#).unwrap(), "a");
        assert_eq!(matching(r#"ITEMS.genres = "Com""#).unwrap(), "");
        assert_eq!(matching(r#"ITEMS.genres = "comedy""#).unwrap(), "");
    }

    #[test]
    fn alternatives_and_lists_widen_and_conditions_narrow() {
        assert_eq!(matching(r#"ITEMS.year IN ("2001", "1999")"#).unwrap(), "abc");
        assert_eq!(
            matching(r#"ITEMS.genres = "Drama" AND ITEMS.year = "1999" OR ITEMS.year = "2001""#).unwrap(),
            "abc"
        );
        assert_eq!(matching(r#"ITEMS.genres = "Comedy" AND ITEMS.year = "1999""#).unwrap(), "a");
    }

    #[test]
    fn an_attribute_that_no_item_has_is_an_error() {
        assert_eq!(matching(r#"ITEMS.colour = "red""#).unwrap_err(), "The items have no attribute colour.");
    }

    #[test]
    fn a_broken_file_is_refused_with_the_line() {
        let error = |text: &str| Items::read(text.as_bytes()).err().unwrap();
        assert!(error("").starts_with("line 1: "));
        assert!(error("GENRES,item_id\n").starts_with("line 1: "));
        assert_eq!(error("item_id,G\na,x\nb\n"), "line 3: it has not as many fields as the header");
        assert_eq!(error("item_id,G\n,x\n"), "line 2: item_id is empty");
        assert_eq!(error("item_id,G\na,\"x\"\n"), "line 2: quotes are not supported");
    }
}
