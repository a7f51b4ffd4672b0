//! How soon the end of a job is noticed, and with how many looks: `shared`'s own schedule beside others.

use std::path::Path;

use lookalike::schedule::PollBounds;
use plotters::prelude::*;

use crate::Failure;

/// The durations of jobs that are promised something, in seconds.
pub(crate) const SHORTEST: i64 = 120;
pub(crate) const LONGEST: i64 = 24 * 3600;

/// The stack's own bounds: `PollMinSeconds` and `PollMaxSeconds` of the template.
pub(crate) const STACK: (u32, u32) = (13, 900);

/// A schedule, as the ages at which a job is looked at.
pub(crate) struct Schedule {
    pub(crate) name: String,
    looks: Vec<f64>,
}

/// What a schedule does with jobs of about one duration.
#[derive(Clone, Copy)]
pub(crate) struct Noticed {
    /// The delay on average, as a share of the duration.
    pub(crate) mean: f64,
    /// The longest delay.
    pub(crate) worst: f64,
    /// How many looks it takes.
    pub(crate) looks: usize,
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
impl Schedule {
    /// A schedule by the wait after a look at a job of that age.
    fn new(name: String, wait: impl Fn(f64) -> f64) -> Self {
        let mut looks = vec![0.0];
        let mut age = 0.0;
        while age < 1.5 * LONGEST as f64 {
            age += wait(age);
            looks.push(age);
        }
        Self { name, looks }
    }

    pub(crate) fn of_shared(least: u32, most: u32) -> Result<Self, Failure> {
        let bounds = PollBounds::new(least, most)?;
        let wait = |age: f64| f64::from(bounds.check_after(age as i64, i64::MAX));
        Ok(Self::new(format!("a tenth of the age, {least} to {most} s"), wait))
    }

    pub(crate) fn fixed(seconds: f64) -> Self {
        Self::new(format!("every {seconds} s"), |_| seconds)
    }

    pub(crate) fn backoff(seconds: f64, rate: f64) -> Self {
        // After n looks the age is a geometric sum, so the wait is a line of the age.
        Self::new(format!("{seconds} s, each wait {rate} times the last"), |age| seconds + age * (rate - 1.0))
    }

    /// The first look that sees a job that ended at that age, and how many looks there were until then.
    fn notices(&self, end: f64) -> (f64, usize) {
        let before = self.looks.partition_point(|look| *look < end);
        (self.looks.get(before).copied().unwrap_or(f64::INFINITY), before + 1)
    }

    /// What becomes of jobs that last a tenth less to a tenth more than that: none lasts exactly as long as another.
    pub(crate) fn with(&self, duration: f64) -> Noticed {
        const JOBS: u32 = 2_000;
        let delays = (0..JOBS).map(|job| {
            let end = duration * (0.9 + 0.2 * f64::from(job) / f64::from(JOBS));
            (self.notices(end).0 - end) / end
        });
        let (sum, worst) = delays.fold((0.0, 0.0_f64), |(sum, worst), delay| (sum + delay, worst.max(delay)));
        Noticed { mean: sum / f64::from(JOBS), worst, looks: self.notices(duration).1 }
    }

    /// The duration whose mean delay is the largest share of it, and what is noticed there.
    pub(crate) fn worst(&self) -> (f64, Noticed) {
        durations()
            .map(|duration| (duration, self.with(duration)))
            .max_by(|one, other| one.1.mean.total_cmp(&other.1.mean))
            .unwrap_or((0.0, Noticed { mean: 0.0, worst: 0.0, looks: 0 }))
    }
}

/// Durations from the shortest to the longest, each a fiftieth longer than the last.
#[allow(clippy::cast_precision_loss)]
fn durations() -> impl Iterator<Item = f64> {
    std::iter::successors(Some(SHORTEST as f64), |duration| Some(duration * 1.02))
        .take_while(|duration| *duration <= LONGEST as f64)
}

/// Draws the mean delay over the duration.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn plot(schedules: &[Schedule], file: &Path) -> Result<(), Failure> {
    let area = SVGBackend::new(file, (900, 480)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption("Mean delay until the end of a job is noticed, as % of its duration", ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(48)
        .build_cartesian_2d((2.0..1_440.0_f64).log_scale(), 0.0..30.0_f64)?;
    chart.configure_mesh().x_desc("duration of the job, minutes").y_desc("%").draw()?;
    let colours = [&RED, &BLUE, &GREEN, &MAGENTA, &CYAN];
    for (schedule, colour) in schedules.iter().zip(colours) {
        let line = durations().map(|duration| (duration / 60.0, 100.0 * schedule.with(duration).mean));
        chart
            .draw_series(LineSeries::new(line, colour.stroke_width(2)))?
            .label(&schedule.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(2)));
    }
    chart.draw_series(LineSeries::new([(2.0, 6.0), (1_440.0, 6.0)], BLACK.mix(0.5)))?.label("6 %, the promise");
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
    area.present()?;
    Ok(())
}
