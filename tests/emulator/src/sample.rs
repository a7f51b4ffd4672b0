//! The sample data of `tests/data`: a town of invented people with planted interests.
//!
//! Six groups touch the things of their interest more often than others do; everyone touches the popular things,
//! some people have two interests, and almost half have none. So an audience can be measured: `groups.csv` says who
//! really belongs together. All is made of integers from one fixed seed, so that every machine makes the same bytes.

use std::fmt::Write as _;
use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use serde_json::json;

use crate::rng::Rng;

/// The planted groups and the letter that the ids of their items begin with.
pub const GROUPS: [(&str, char); 6] =
    [("runners", 'r'), ("cooks", 'c'), ("gamers", 'g'), ("gardeners", 'p'), ("travellers", 't'), ("readers", 'b')];

/// How many users the training data has.
pub const USERS: u32 = 20_000;

const MEMBERS_OF_A_GROUP: u32 = 1_800;
const ITEMS_OF_A_GROUP: u32 = 50;
const POPULAR_ITEMS: u32 = 15;
const GENERAL_ITEMS: u32 = 99;
const FIRST_DAY: u64 = 1_767_225_600;
const DAYS: u32 = 90;
const SECONDS_OF_A_DAY: u64 = 86_400;

/// Users of a seed: most belong to its group, some are strangers to it, some are not in the training data at all.
const SEED_MEMBERS: usize = 660;
const SEED_STRANGERS: usize = 20;
const SEED_UNKNOWN: u32 = 20;

/// The attributes of the items of each group, in the order of the groups.
const ATTRIBUTES: [(&str, &str); 6] = [
    ("Running", "Outdoors|Sports"),
    ("Cooking", "Home|Food"),
    ("Gaming", "Home|Electronics"),
    ("Gardening", "Outdoors|Home"),
    ("Travel", "Outdoors|Luggage"),
    ("Books", "Home|Media"),
];

/// Items to ask segments for, the last of them unknown to the training data.
const SEGMENT_ITEMS: [&str; 4] = ["r03", "c00", "b12", "r99"];

/// Attributes to ask segments for.
const SEGMENT_ATTRIBUTES: [&str; 4] = [
    r#"ITEMS.category = "Running""#,
    r#"ITEMS.genres = "Outdoors" AND ITEMS.genres = "Home""#,
    r#"ITEMS.CATEGORY IN ("Cooking", "Books")"#,
    r#"ITEMS.category = "Gaming" OR ITEMS.genres = "Luggage""#,
];

/// The files, by their name in `tests/data`.
#[must_use]
pub fn files() -> Vec<(&'static str, Vec<u8>)> {
    let mut rng = Rng(0x1005_a11e);
    let people = people(&mut rng);
    let training = training(&people, &mut rng);
    vec![
        ("interactions.csv.gz", gzip(training.as_bytes())),
        ("groups.csv", groups(&people).into_bytes()),
        ("seed-runners.jsonl", seed(&people, 0, &mut rng).into_bytes()),
        ("seed-cooks.jsonl", seed(&people, 1, &mut rng).into_bytes()),
        ("seed-too-small.jsonl", seed_too_small(&people).into_bytes()),
        ("seed-broken.jsonl", seed_broken(&people).into_bytes()),
        ("items.csv", items().into_bytes()),
        ("segment-items.jsonl", input_lines("itemId", &SEGMENT_ITEMS).into_bytes()),
        ("segment-attributes.jsonl", input_lines("itemAttributes", &SEGMENT_ATTRIBUTES).into_bytes()),
    ]
}

/// Someone of the town. The place in the list is the number in the user's id.
struct Person {
    group: Option<usize>,
    second: Option<usize>,
}

fn people(rng: &mut Rng) -> Vec<Person> {
    let mut people: Vec<Person> = (0..USERS)
        .map(|number| {
            let group = (number / MEMBERS_OF_A_GROUP) as usize;
            let group = (group < GROUPS.len()).then_some(group);
            let other = rng.below(6) as usize;
            // One member in eight has a second interest.
            let second = (group.is_some() && group != Some(other) && rng.below(100) < 15).then_some(other);
            Person { group, second }
        })
        .collect();
    // Shuffled, so that nothing of a group can be read from an id.
    rng.shuffle(&mut people);
    people
}

fn training(people: &[Person], rng: &mut Rng) -> String {
    let mut csv = String::from("user_id,item_id,timestamp\n");
    for (number, person) in people.iter().enumerate() {
        // How much of what someone does is their interest differs: some members can hardly be recognised.
        let devotion = 25 + rng.below(50);
        let mut day = rng.below(DAYS);
        for _ in 0..5 + rng.below(4) {
            if rng.below(5) == 0 {
                day = (day + 1 + rng.below(9)) % DAYS;
            }
            let timestamp = FIRST_DAY + u64::from(day) * SECONDS_OF_A_DAY;
            let _ = writeln!(csv, "{},{},{timestamp}", user_id(number), item(person, devotion, rng));
        }
    }
    csv
}

fn item(person: &Person, devotion: u32, rng: &mut Rng) -> String {
    let (letter, number) = match person.group {
        Some(main) if rng.below(100) < devotion => {
            let interest = person.second.filter(|_| rng.below(5) < 2).unwrap_or(main);
            (GROUPS[interest].1, rng.skewed_below(ITEMS_OF_A_GROUP))
        }
        _ => match rng.below(100) {
            0..45 => ('z', rng.skewed_below(POPULAR_ITEMS)),
            45..78 => ('x', rng.skewed_below(GENERAL_ITEMS)),
            // Anyone buys a pot, a book, a pair of shoes at times.
            _ => (GROUPS[rng.below(6) as usize].1, rng.skewed_below(ITEMS_OF_A_GROUP)),
        },
    };
    item_id(letter, number)
}

fn groups(people: &[Person]) -> String {
    let mut csv = String::from("user_id,group,second_group\n");
    let name = |group: Option<usize>| group.map_or("", |group| GROUPS[group].0);
    for (number, person) in people.iter().enumerate().filter(|(_, person)| person.group.is_some()) {
        let _ = writeln!(csv, "{},{},{}", user_id(number), name(person.group), name(person.second));
    }
    csv
}

fn seed(people: &[Person], group: usize, rng: &mut Rng) -> String {
    let mut everyone: Vec<usize> = (0..people.len()).collect();
    rng.shuffle(&mut everyone);
    let (members, strangers): (Vec<_>, Vec<_>) =
        everyone.into_iter().partition(|&number| people[number].group == Some(group));
    let mut ids: Vec<String> =
        members.into_iter().take(SEED_MEMBERS).chain(strangers.into_iter().take(SEED_STRANGERS)).map(user_id).collect();
    ids.extend((0..SEED_UNKNOWN).map(|_| format!("u9{:06}", rng.below(1_000_000))));
    rng.shuffle(&mut ids);
    lines(&ids)
}

/// One user less than the API's smallest seed.
fn seed_too_small(people: &[Person]) -> String {
    lines(&members(people, 2, 24))
}

/// Forty users, and on line 7 a row of a spreadsheet.
fn seed_broken(people: &[Person]) -> String {
    let ids = members(people, 2, 40);
    lines(&ids[..6]) + &ids[6] + ",1\n" + &lines(&ids[7..])
}

fn members(people: &[Person], group: usize, count: usize) -> Vec<String> {
    let numbers = people.iter().enumerate().filter(|(_, person)| person.group == Some(group)).map(|(number, _)| number);
    numbers.take(count).map(user_id).collect()
}

/// Every item of the town. The popular things and the general are of no interest's.
fn items() -> String {
    let mut csv = String::from("item_id,CATEGORY,GENRES\n");
    let of_groups =
        GROUPS.iter().zip(ATTRIBUTES).map(|((_, letter), attributes)| (*letter, ITEMS_OF_A_GROUP, attributes));
    let of_all = [('z', POPULAR_ITEMS, ("Popular", "Everyday")), ('x', GENERAL_ITEMS, ("General", "Everyday"))];
    for (letter, count, (category, genres)) in of_groups.chain(of_all) {
        for number in 0..count {
            let _ = writeln!(csv, "{},{category},{genres}", item_id(letter, number));
        }
    }
    csv
}

fn item_id(letter: char, number: u32) -> String {
    format!("{letter}{number:02}")
}

/// The input of a segment job.
fn input_lines(member: &str, values: &[&str]) -> String {
    values.iter().fold(String::new(), |mut lines, value| {
        let _ = writeln!(lines, "{}", json!({ member: value }));
        lines
    })
}

fn user_id(number: usize) -> String {
    format!("u{number:07}")
}

fn lines(ids: &[String]) -> String {
    ids.iter().fold(String::new(), |mut lines, id| {
        let _ = writeln!(lines, r#"{{"user_id":"{id}"}}"#);
        lines
    })
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // A Vec never refuses to be written to.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}
