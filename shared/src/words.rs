//! Numbers, sizes, durations and times as people write them.

use crate::audience_size::{AudienceSize, AudienceSizeType};
use crate::execution::Moment;

/// A count: `1,180`.
#[must_use]
pub fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut words = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            words.push(',');
        }
        words.push(digit);
    }
    words
}

/// A count of things: `1 size`, `3 sizes`.
#[must_use]
pub fn counted(number: u64, one: &str, more: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { more })
}

/// A size: `5%`, `10,000 people`.
#[must_use]
pub fn size(size: AudienceSize) -> String {
    match size.kind() {
        AudienceSizeType::Percentage => format!("{}%", size.value()),
        AudienceSizeType::Absolute => counted(size.value().into(), "person", "people"),
    }
}

/// A size where there is little room: `5%`, `10k`, `2.5M`. At most three digits and one decimal.
#[must_use]
pub fn short_size(size: AudienceSize) -> String {
    let value = size.value();
    match (size.kind(), value) {
        (AudienceSizeType::Percentage, _) => format!("{value}%"),
        (_, ..1_000) => value.to_string(),
        (_, ..999_950) => format!("{}k", tenths(value, 1_000)),
        _ => format!("{}M", tenths(value, 1_000_000)),
    }
}

/// A value in units, rounded to tenths, which are left out where there are none.
fn tenths(value: u32, unit: u32) -> String {
    let tenths = (u64::from(value) * 10 + u64::from(unit) / 2) / u64::from(unit);
    if tenths.is_multiple_of(10) { (tenths / 10).to_string() } else { format!("{}.{}", tenths / 10, tenths % 10) }
}

/// A duration in its two largest units: `45 s`, `3 h 12 min`. A negative one, of clocks that differ, is none.
#[must_use]
pub fn duration(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let parts = [(seconds / 86_400, "d"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
    let first = parts.iter().position(|(number, _)| *number > 0).unwrap_or(parts.len() - 1);
    let told = parts[first..].iter().take(2).enumerate();
    let told = told.filter(|(place, (number, _))| *place == 0 || *number > 0);
    told.map(|(_, (number, unit))| format!("{number} {unit}")).collect::<Vec<_>>().join(" ")
}

/// A time: `22 Nov 2026, 16:00 UTC`.
#[must_use]
pub fn time(moment: Moment) -> String {
    format!("{}, {} UTC", date(moment), time_of_day(moment))
}

/// A date, in UTC: `22 Nov 2026`.
#[must_use]
pub fn date(moment: Moment) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = moment.to_string();
    let mut parts = text.split(['-', 'T']);
    let (Some(year), Some(month), Some(day)) = (parts.next(), parts.next(), parts.next()) else { return text };
    let Some(month) = month.parse::<usize>().ok().and_then(|month| MONTHS.get(month.wrapping_sub(1))) else {
        return text;
    };
    format!("{} {month} {year}", day.trim_start_matches('0'))
}

/// A time of day, in UTC: `16:00`.
#[must_use]
pub fn time_of_day(moment: Moment) -> String {
    let text = moment.to_string();
    let time = text.split_once('T').map_or("", |(_, time)| time);
    time.chars().take(5).collect()
}

/// How the scores of one audience are written: with as few decimals as tell them apart, two to four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scores {
    decimals: usize,
}

impl Scores {
    /// Decimals that tell these scores apart.
    #[must_use]
    pub fn of(scores: &[f64]) -> Self {
        let tells_apart = |decimals: &usize| {
            let written = |score: f64| Self { decimals: *decimals }.write(score);
            scores.windows(2).all(|pair| pair[0].total_cmp(&pair[1]).is_eq() || written(pair[0]) != written(pair[1]))
        };
        Self { decimals: (2..4).find(tells_apart).unwrap_or(4) }
    }

    /// A score: `0.71`, `−0.05`; `3.2e9` where decimals would say nothing.
    #[must_use]
    pub fn write(self, score: f64) -> String {
        let size = score.abs();
        let is_odd = size >= 1e6 || (size > 0.0 && size < 0.0001);
        let text = if is_odd { format!("{score:.1e}") } else { format!("{score:.*}", self.decimals) };
        let is_nothing = text.bytes().all(|b| matches!(b, b'-' | b'0' | b'.'));
        text.replace('-', if is_nothing { "" } else { "\u{2212}" })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn counts_have_their_thousands_apart() {
        for (number, words) in [(0, "0"), (999, "999"), (1_180, "1,180"), (20_000_000, "20,000,000")] {
            assert_eq!(count(number), words);
        }
        assert_eq!(
            (counted(1, "size", "sizes"), counted(2, "size", "sizes")),
            ("1 size".to_owned(), "2 sizes".to_owned())
        );
    }

    #[test]
    fn sizes_read_as_people_say_them() {
        for (text, long, short) in [
            ("5pct", "5%", "5%"),
            ("1", "1 person", "1"),
            ("999", "999 people", "999"),
            ("10000", "10,000 people", "10k"),
            ("12345", "12,345 people", "12.3k"),
            ("999949", "999,949 people", "999.9k"),
            ("999950", "999,950 people", "1M"),
            ("20000000", "20,000,000 people", "20M"),
        ] {
            let parsed: AudienceSize = text.parse().unwrap();
            assert_eq!((size(parsed), short_size(parsed)), (long.to_owned(), short.to_owned()));
        }
    }

    #[test]
    fn durations_have_their_two_largest_units() {
        for (seconds, words) in [
            (-5, "0 s"),
            (0, "0 s"),
            (45, "45 s"),
            (60, "1 min"),
            (250, "4 min 10 s"),
            (3_600, "1 h"),
            (11_540, "3 h 12 min"),
            (86_405, "1 d"),
            (187_200, "2 d 4 h"),
        ] {
            assert_eq!(duration(seconds), words);
        }
    }

    #[test]
    fn times_are_in_utc_and_say_so() {
        assert_eq!(time("2026-11-02T01:04:59.9+01:00".parse().unwrap()), "2 Nov 2026, 00:04 UTC");
    }

    #[test]
    fn scores_have_the_decimals_that_tell_them_apart() {
        let written =
            |scores: &[f64]| scores.iter().map(|score| Scores::of(scores).write(*score)).collect::<Vec<_>>().join(" ");
        assert_eq!(written(&[]), "");
        assert_eq!(written(&[0.714]), "0.71");
        assert_eq!(written(&[0.9, 0.5]), "0.90 0.50");
        assert_eq!(written(&[0.7012, 0.7034]), "0.701 0.703");
        assert_eq!(written(&[0.70121, 0.70122]), "0.7012 0.7012");
        assert_eq!(written(&[0.5, 0.5]), "0.50 0.50");
        assert_eq!(written(&[0.25, -0.25]), "0.25 \u{2212}0.25");
        assert_eq!(written(&[-0.001]), "0.00");
        assert_eq!(written(&[3.2e9, 1e-7]), "3.2e9 1.0e\u{2212}7");
    }
}
