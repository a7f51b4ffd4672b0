//! The colours of a page, in the light and the dark scheme.

use std::fmt::Write as _;

/// Red, green and blue.
type Rgb = (u8, u8, u8);

/// A colour by what it is for.
#[derive(Clone, Copy)]
pub(crate) struct Shade {
    name: &'static str,
    /// Also what the SVG is drawn in, so the light colours are all different.
    pub(crate) light: Rgb,
    dark: Rgb,
}

/// What everything is on.
pub(crate) const PAPER: Shade = Shade { name: "paper", light: (255, 255, 255), dark: (22, 25, 29) };
/// What boxes are filled with.
pub(crate) const WASH: Shade = Shade { name: "wash", light: (245, 246, 248), dark: (30, 34, 40) };
/// Hairlines.
pub(crate) const RULE: Shade = Shade { name: "rule", light: (222, 226, 231), dark: (52, 58, 66) };
/// The line of zero.
pub(crate) const AXIS: Shade = Shade { name: "axis", light: (150, 158, 168), dark: (112, 121, 132) };
/// Text.
pub(crate) const INK: Shade = Shade { name: "ink", light: (27, 31, 36), dark: (232, 234, 237) };
/// Text that says less.
pub(crate) const MUTED: Shade = Shade { name: "muted", light: (87, 96, 106), dark: (166, 174, 184) };
/// The curve, links.
pub(crate) const ACCENT: Shade = Shade { name: "accent", light: (29, 91, 191), dark: (134, 178, 255) };
/// What went well.
pub(crate) const GOOD: Shade = Shade { name: "good", light: (20, 112, 70), dark: (102, 209, 155) };
/// What went well in part.
pub(crate) const WARN: Shade = Shade { name: "warn", light: (138, 84, 0), dark: (236, 185, 93) };
/// What went badly.
pub(crate) const BAD: Shade = Shade { name: "bad", light: (176, 36, 28), dark: (255, 148, 138) };

const ALL: [Shade; 10] = [PAPER, WASH, RULE, AXIS, INK, MUTED, ACCENT, GOOD, WARN, BAD];

/// The colours as CSS: variables for the page, and rules that turn the SVG's light colours into them.
pub(crate) fn css() -> String {
    let (mut light, mut dark, mut drawn) = (String::new(), String::new(), String::new());
    for Shade { name, light: in_light, dark: in_dark } in ALL {
        let _ = write!(light, "--{name}:{};", hex(in_light));
        let _ = write!(dark, "--{name}:{};", hex(in_dark));
        for property in ["fill", "stroke"] {
            let _ = write!(drawn, ".curve [{property}=\"{}\"]{{{property}:var(--{name})}}", hex(in_light));
        }
    }
    // Not for print: paper is white.
    format!(":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}{drawn}")
}

/// As the SVG has it, to the letter.
fn hex((red, green, blue): Rgb) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contrast of two colours by the Web Content Accessibility Guidelines: 1 to 21.
    fn contrast(one: Rgb, other: Rgb) -> f64 {
        let luminance = |(red, green, blue): Rgb| {
            let linear = |value: u8| {
                let value = f64::from(value) / 255.0;
                if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
        };
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn text_is_legible_in_both_schemes() {
        for text in [INK, MUTED, ACCENT, GOOD, WARN, BAD] {
            for ground in [PAPER, WASH] {
                assert!(contrast(text.light, ground.light) >= 4.5, "{} on {}", text.name, ground.name);
                assert!(contrast(text.dark, ground.dark) >= 4.5, "{} on {}, dark", text.name, ground.name);
            }
        }
    }

    #[test]
    fn no_two_colours_of_the_drawing_are_one() {
        for (index, shade) in ALL.iter().enumerate() {
            assert!(ALL[..index].iter().all(|other| other.light != shade.light), "{}", shade.name);
        }
    }
}
