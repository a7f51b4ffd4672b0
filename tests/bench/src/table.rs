//! What is printed and kept: rows for people, figures for the next run.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::Failure;

/// A row beside its target.
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) target: String,
    pub(crate) peer: String,
    pub(crate) measured: String,
    pub(crate) ratio: String,
    pub(crate) reached: bool,
}

/// All that was measured.
#[derive(Default)]
pub(crate) struct Table {
    pub(crate) rows: Vec<Row>,
    /// By name; less is better.
    pub(crate) figures: BTreeMap<String, f64>,
    /// Of the machine, and whatever no row has room for.
    pub(crate) notes: Vec<String>,
}

impl Table {
    /// Keeps a figure, and hands it back.
    pub(crate) fn figure(&mut self, name: impl Into<String>, value: f64) -> f64 {
        self.figures.insert(name.into(), value);
        value
    }

    /// Prints the rows as Markdown, then each figure beside what it was in the baseline.
    pub(crate) fn print(&self, baseline: &Path) -> Result<(), Failure> {
        println!("| what | target | peer | measured | ratio | reached |\n|---|---|---|---|---|---|");
        for Row { what, target, peer, measured, ratio, reached } in &self.rows {
            let reached = if *reached { "yes" } else { "**no**" };
            println!("| {what} | {target} | {peer} | {measured} | {ratio} | {reached} |");
        }
        println!();
        for note in &self.notes {
            println!("{note}");
        }
        let earlier: Value = match std::fs::read(baseline) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(_) => return Ok(()),
        };
        println!("\nBeside {}:", baseline.display());
        for (name, value) in &self.figures {
            match earlier["figures"][name].as_f64() {
                Some(was) if was != 0.0 => {
                    println!("  {name}: {value:.4}, was {was:.4} ({:+.0} %)", 100.0 * (value / was - 1.0));
                }
                _ => println!("  {name}: {value:.4}, new"),
            }
        }
        Ok(())
    }

    /// Writes the figures for a later run.
    pub(crate) fn save(&self, file: &Path) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(&json!({ "figures": self.figures, "notes": self.notes }))?;
        Ok(std::fs::write(file, text + "\n")?)
    }
}
