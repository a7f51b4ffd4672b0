//! What the model was trained on: who did what, as one flat sparse matrix with a row for each user.
//!
//! An item counts the less the more users touch it (inverse document frequency), and each row is brought to length
//! one, so that the product of two rows is the cosine of their angle.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};

use flate2::read::MultiGzDecoder;

/// Users' interactions. No `Debug`: it holds user ids.
pub struct Training {
    /// In ascending order, so that a user's number orders as the id does.
    users: Vec<Box<str>>,
    /// Where each user's row begins in `items` and `weights`; one longer than `users`.
    starts: Vec<usize>,
    items: Vec<u32>,
    weights: Vec<f64>,
    /// The length that each user's row had: it grows with what they do.
    lengths: Vec<f64>,
    item_numbers: HashMap<Box<str>, u32>,
}

impl Training {
    /// Reads a CSV file with the columns `user_id`, `item_id` and `timestamp`, gzip-compressed or plain.
    ///
    /// # Errors
    /// Names the line and what is wrong with it, never what it says.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        if bytes.starts_with(&[0x1f, 0x8b]) {
            Self::read_csv(MultiGzDecoder::new(bytes))
        } else {
            Self::read_csv(bytes)
        }
    }

    fn read_csv(bytes: impl Read) -> Result<Self, String> {
        let mut reader = BufReader::with_capacity(1 << 16, bytes);
        let mut line = String::new();
        let mut number = 1;
        read_line(&mut reader, &mut line, number)?;
        let columns = Columns::of(&line)?;
        let mut users = Ids::default();
        let mut items = Ids::default();
        let mut interactions = Vec::new();
        loop {
            number += 1;
            if !read_line(&mut reader, &mut line, number)? {
                break;
            }
            let (user, item) = columns.split(&line).map_err(|reason| format!("line {number}: {reason}"))?;
            interactions.push((users.number(user)?, items.number(item)?));
        }
        if interactions.is_empty() {
            return Err("there is no interaction in it".to_owned());
        }
        Ok(Self::of(users, items, interactions))
    }

    fn of(users: Ids, items: Ids, mut interactions: Vec<(u32, u32)>) -> Self {
        let mut sorted: Vec<(Box<str>, u32)> = users.0.into_iter().collect();
        sorted.sort_unstable();
        let mut place_of = vec![0; sorted.len()];
        for (place, (_, user)) in (0..).zip(&sorted) {
            place_of[*user as usize] = place;
        }
        for (user, _) in &mut interactions {
            *user = place_of[*user as usize];
        }
        interactions.sort_unstable();

        let mut training = Self {
            users: sorted.into_iter().map(|(user, _)| user).collect(),
            starts: vec![0],
            items: Vec::new(),
            weights: Vec::new(),
            lengths: Vec::new(),
            item_numbers: items.0,
        };
        for same_user in interactions.chunk_by(|one, other| one.0 == other.0) {
            for repeats in same_user.chunk_by(|one, other| one.1 == other.1) {
                training.items.push(repeats[0].1);
                // The tenth visit says less than the first.
                training.weights.push(1.0 + count(repeats.len()).ln());
            }
            training.starts.push(training.items.len());
        }
        training.weigh();
        training
    }

    fn weigh(&mut self) {
        let mut touched_by = vec![0_usize; self.item_numbers.len()];
        for item in &self.items {
            touched_by[*item as usize] += 1;
        }
        let users = count(self.users.len());
        let rarity: Vec<f64> = touched_by.into_iter().map(|touched| (users / count(touched.max(1))).ln()).collect();
        for row in self.starts.windows(2) {
            let mut square = 0.0;
            for place in row[0]..row[1] {
                let weight = self.weights[place] * rarity[self.items[place] as usize];
                self.weights[place] = weight;
                square += weight * weight;
            }
            let length = square.sqrt();
            self.lengths.push(length);
            if length > 0.0 {
                for weight in &mut self.weights[row[0]..row[1]] {
                    *weight /= length;
                }
            }
        }
    }

    /// How many users there are.
    #[must_use]
    pub fn user_count(&self) -> usize {
        self.users.len()
    }

    /// The id of the user of that number.
    pub(crate) fn user_id(&self, user: u32) -> &str {
        &self.users[user as usize]
    }

    /// The number of the user of that id.
    pub(crate) fn user(&self, id: &str) -> Option<u32> {
        self.users.binary_search_by(|user| user.as_ref().cmp(id)).ok().and_then(|place| u32::try_from(place).ok())
    }

    /// The number of the item of that id.
    pub(crate) fn item(&self, id: &str) -> Option<u32> {
        self.item_numbers.get(id).copied()
    }

    /// How alike every user is to these users together: 0 for nothing in common, 1 for the same.
    pub(crate) fn similarity_to(&self, users: &[u32]) -> Vec<f64> {
        self.closeness_to(users.iter().map(|&user| (user as usize, 1.0)))
    }

    /// How much every user is drawn to these items: how alike they are to all users together, of whom each counts as much
    /// as what they do is these items, and how much they do. So who likes what goes with an item is drawn to it too, and
    /// more than who touched only the item, once.
    pub(crate) fn affinity_to(&self, items: &[u32]) -> Vec<f64> {
        let mut is_asked = vec![false; self.item_numbers.len()];
        for &item in items {
            is_asked[item as usize] = true;
        }
        let share = |user| self.row(user).filter(|(item, _)| is_asked[*item]).map(|(_, weight)| weight).sum::<f64>();
        let closeness = self.closeness_to((0..self.users.len()).map(|user| (user, share(user))));
        closeness.into_iter().zip(&self.lengths).map(|(closeness, length)| closeness * length).collect()
    }

    /// How alike every user is to the mean of these, of whom each has a weight.
    fn closeness_to(&self, users: impl Iterator<Item = (usize, f64)>) -> Vec<f64> {
        let mut centre = vec![0.0; self.item_numbers.len()];
        for (user, weight_of_user) in users.filter(|(_, weight)| *weight > 0.0) {
            for (item, weight) in self.row(user) {
                centre[item] += weight_of_user * weight;
            }
        }
        let length = centre.iter().map(|weight| weight * weight).sum::<f64>().sqrt();
        if length > 0.0 {
            for weight in &mut centre {
                *weight /= length;
            }
        }
        (0..self.users.len()).map(|user| self.row(user).map(|(item, weight)| centre[item] * weight).sum()).collect()
    }

    fn row(&self, user: usize) -> impl Iterator<Item = (usize, f64)> {
        let row = self.starts[user]..self.starts[user + 1];
        self.items[row.clone()].iter().map(|item| *item as usize).zip(self.weights[row].iter().copied())
    }
}

/// A count as a number to reckon with.
pub(crate) fn count(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Ids and the number each got when it was first met.
#[derive(Default)]
struct Ids(HashMap<Box<str>, u32>);

impl Ids {
    fn number(&mut self, id: &str) -> Result<u32, String> {
        if let Some(number) = self.0.get(id) {
            return Ok(*number);
        }
        let number = u32::try_from(self.0.len()).map_err(|_| "there are too many ids".to_owned())?;
        self.0.insert(id.into(), number);
        Ok(number)
    }
}

/// Where the three columns are.
struct Columns {
    user: usize,
    item: usize,
    timestamp: usize,
    count: usize,
}

impl Columns {
    fn of(header: &str) -> Result<Self, String> {
        let names: Vec<&str> = header.split(',').collect();
        let place = |name| {
            let place = names.iter().position(|column| *column == name);
            place.ok_or_else(|| {
                format!("line 1: the column {name} is missing (user_id, item_id and timestamp are needed)")
            })
        };
        Ok(Self {
            user: place("user_id")?,
            item: place("item_id")?,
            timestamp: place("timestamp")?,
            count: names.len(),
        })
    }

    fn split<'a>(&self, line: &'a str) -> Result<(&'a str, &'a str), &'static str> {
        let (mut user, mut item, mut timestamp, mut fields) = ("", "", "", 0);
        for (place, field) in line.split(',').enumerate() {
            match place {
                _ if place == self.user => user = field,
                _ if place == self.item => item = field,
                _ if place == self.timestamp => timestamp = field,
                _ => {}
            }
            fields += 1;
        }
        if line.contains('"') {
            Err("quotes are not supported")
        } else if fields != self.count {
            Err("it has not as many fields as the header")
        } else if user.is_empty() || item.is_empty() {
            Err("user_id or item_id is empty")
        } else if timestamp.parse::<u64>().is_err() {
            Err("timestamp is no number of seconds since 1970")
        } else {
            Ok((user, item))
        }
    }
}

/// Reads the next line without its ending, if there is one.
fn read_line(reader: &mut impl BufRead, line: &mut String, number: usize) -> Result<bool, String> {
    line.clear();
    let read = reader.read_line(line).map_err(|error| format!("line {number}: {error}"))?;
    if line.ends_with('\n') {
        line.pop();
        if line.ends_with('\r') {
            line.pop();
        }
    }
    Ok(read > 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends where its premise fails")]

    use super::*;

    fn training(csv: &str) -> Training {
        Training::read(csv.as_bytes()).unwrap()
    }

    fn error(csv: &str) -> String {
        Training::read(csv.as_bytes()).err().unwrap()
    }

    #[test]
    fn users_are_numbered_in_the_order_of_their_ids() {
        let training = training("user_id,item_id,timestamp\nzoe,a,1\namy,b,2\nmax,a,3\n");
        assert_eq!(training.user_count(), 3);
        assert_eq!((0..3).map(|user| training.user_id(user)).collect::<Vec<_>>(), ["amy", "max", "zoe"]);
        assert_eq!(training.user("max"), Some(1));
        assert_eq!(training.user("eve"), None);
    }

    #[test]
    fn who_did_the_same_is_more_alike_than_who_did_something_else() {
        let training = training("user_id,item_id,timestamp\na,x,1\nb,x,1\nc,y,1\nd,x,1\nd,y,1\n");
        let alike = training.similarity_to(&[0]);
        assert!((alike[1] - 1.0).abs() < 1e-9, "{alike:?}");
        assert!(alike[2].abs() < 1e-9, "{alike:?}");
        assert!(alike[3] > 0.1 && alike[3] < 0.9, "{alike:?}");
    }

    #[test]
    fn a_user_of_related_items_has_affinity_to_an_item() {
        let training = training("user_id,item_id,timestamp\na,x,1\nb,x,1\nb,y,1\nc,y,1\nd,z,1\n");
        let drawn = training.affinity_to(&[training.item("x").unwrap()]);
        assert!(drawn[1] > drawn[0] && drawn[0] > drawn[2] && drawn[2] > 0.1, "{drawn:?}");
        assert!(drawn[3].abs() < 1e-9, "{drawn:?}");
        assert_eq!(training.item("w"), None);
    }

    #[test]
    fn what_everyone_does_tells_nothing() {
        let training = training("user_id,item_id,timestamp\na,all,1\nb,all,1\nc,all,1\nc,own,1\n");
        assert!(training.similarity_to(&[0])[1].abs() < 1e-9);
    }

    #[test]
    fn columns_may_be_in_any_order_and_more() {
        let training = training("timestamp,colour,item_id,user_id\r\n1,red,x,a\r\n");
        assert_eq!(training.user_id(0), "a");
    }

    #[test]
    fn a_broken_file_is_refused_with_the_line_and_without_its_content() {
        assert_eq!(
            error("user_id,item_id\na,b\n"),
            "line 1: the column timestamp is missing (user_id, item_id and timestamp are needed)"
        );
        assert_eq!(error("user_id,item_id,timestamp\na,b,1\na,b\n"), "line 3: it has not as many fields as the header");
        assert_eq!(error("user_id,item_id,timestamp\n,b,1\n"), "line 2: user_id or item_id is empty");
        assert_eq!(
            error("user_id,item_id,timestamp\na,b,noon\n"),
            "line 2: timestamp is no number of seconds since 1970"
        );
        assert_eq!(error("user_id,item_id,timestamp\n\"a\",b,1\n"), "line 2: quotes are not supported");
        assert_eq!(error("user_id,item_id,timestamp\n"), "there is no interaction in it");
    }
}
