//! What a person sees meanwhile: a line a step, that moves on a terminal and only stands elsewhere.

use std::{
    collections::BTreeMap,
    io::IsTerminal,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use local_aws::{Progress, State, Step};

/// Standard error, with or without a terminal.
pub(crate) struct Screen {
    terminal: bool,
    bars: MultiProgress,
    shown: Mutex<Shown>,
}

#[derive(Default)]
struct Shown {
    steps: BTreeMap<Step, ProgressBar>,
    times: BTreeMap<Step, Duration>,
    /// The state that the run is in.
    now: Option<ProgressBar>,
}

impl Screen {
    pub(crate) fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), bars: MultiProgress::new(), shown: Mutex::default() }
    }

    /// Lines that stay.
    pub(crate) fn say(&self, text: &str) {
        for line in text.split('\n') {
            if self.terminal {
                // An empty one would not be drawn; and a terminal that went away is nobody's loss.
                let _ = self.bars.println(if line.is_empty() { " " } else { line });
            } else {
                eprintln!("{line}");
            }
        }
    }

    /// The run is here for the first time.
    pub(crate) fn at(&self, after: Duration, what: &str, detail: &str) {
        self.say(format!("  {:>6.1} s   {what:<32} {detail}", after.as_secs_f64()).trim_end());
        self.now(what);
    }

    /// The run is here again.
    pub(crate) fn now(&self, what: &str) {
        if self.terminal {
            let mut shown = self.shown();
            let bar = shown.now.get_or_insert_with(|| {
                let bar = self
                    .bars
                    .add(ProgressBar::new_spinner().with_style(style("           {spinner:.cyan} {msg:.dim}")));
                bar.enable_steady_tick(Duration::from_millis(100));
                bar
            });
            bar.set_message(what.trim_start().to_owned());
        }
    }

    /// Nothing moves any more.
    pub(crate) fn close(&self) {
        let mut shown = self.shown();
        if let Some(bar) = shown.now.take() {
            bar.finish_and_clear();
        }
        for bar in std::mem::take(&mut shown.steps).into_values() {
            bar.finish_and_clear();
        }
    }

    /// How long each step took.
    pub(crate) fn times(&self) -> BTreeMap<Step, Duration> {
        self.shown().times.clone()
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Screen {
    fn tell(&self, step: Step, state: &State<'_>) {
        let mut shown = self.shown();
        if let State::Done(took) = state {
            shown.times.insert(step, *took);
            if let Some(bar) = shown.steps.remove(&step) {
                bar.finish_and_clear();
            }
            self.say(&format!("  {:<40}{:>8.1} s", step.title(), took.as_secs_f64()));
            return;
        }
        if !self.terminal {
            return;
        }
        let bar = shown.steps.entry(step).or_insert_with(|| {
            let moving = "  {prefix:<40}{elapsed:>10}  {spinner:.cyan} {wide_msg:.dim}";
            let bar = self.bars.add(ProgressBar::new_spinner().with_style(style(moving)));
            bar.set_prefix(step.title());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        match state {
            State::At(what) => bar.set_message((*what).to_owned()),
            State::Counted { done, all, at } => bar.set_message(format!("{done}/{all} {at}")),
            State::Begun | State::Done(_) => {}
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    // A template that is not one would be a plain spinner: no reason to end.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
