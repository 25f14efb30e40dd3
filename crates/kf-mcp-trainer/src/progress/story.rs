//! The lines of a log put together: how far the training is, how fast, and how its metrics went.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::series::Growing;
use super::{Family, Reading, Series, read};

/// Metrics that are followed while a log is read.
const MOST_FOLLOWED: usize = 48;
/// Metrics that are told with their points.
const MOST_TOLD: usize = 12;
/// Ends of nameless bars that are told apart.
const MOST_BARS: usize = 16;
/// Rates that are told.
const MOST_RATES: usize = 6;

/// A log while it is read.
#[derive(Debug)]
pub(crate) struct Story {
    most_points: usize,
    wanted: Option<String>,
    families: Vec<Family>,
    lines: usize,
    matched: usize,
    /// Where bars without words stand, by their ends: an evaluation draws bars like the training's, but shorter.
    bars: BTreeMap<u64, Place>,
    /// Where the other lines say that the training stands.
    place: Option<Place>,
    epoch: Option<(f64, Option<f64>)>,
    /// The epoch that a headline of Keras named.
    head: Option<(f64, Option<f64>)>,
    from_zero: bool,
    rates: Vec<(String, f64)>,
    pace: Pace,
    metrics: Vec<Growing>,
    updated: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq)]
struct Place {
    step: Option<u64>,
    steps: Option<u64>,
    of_epoch: Option<(u64, u64)>,
    eta: Option<u64>,
    rates: Vec<(String, f64)>,
}

/// How far a training is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Position {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) percent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) step: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) steps: Option<u64>,
    /// Steps of this epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) epoch_step: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) epoch_steps: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) epoch: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) epochs: Option<f64>,
    /// Seconds to go, at the last line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) eta_seconds: Option<u64>,
    /// Seconds to the end of the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) epoch_eta_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) throughput: Vec<Rate>,
}

/// How much is done in a second.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Rate {
    pub(crate) unit: String,
    pub(crate) value: f64,
    /// Worked out from the times of the lines.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) measured: bool,
}

/// What a log tells.
#[derive(Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) families: Vec<Family>,
    pub(crate) lines: usize,
    pub(crate) matched: usize,
    pub(crate) position: Position,
    pub(crate) metrics: Vec<Series>,
    /// The names of metrics without points here.
    pub(crate) others: Vec<String>,
    /// When the last line that told something was printed.
    pub(crate) updated: Option<Timestamp>,
}

impl Story {
    /// Keeps the last points of each metric, of those whose name holds `wanted`.
    pub(crate) fn new(most_points: usize, wanted: Option<&str>) -> Self {
        Self {
            most_points,
            wanted: wanted.map(str::to_lowercase),
            families: Vec::new(),
            lines: 0,
            matched: 0,
            bars: BTreeMap::new(),
            place: None,
            epoch: None,
            head: None,
            from_zero: false,
            rates: Vec::new(),
            pace: Pace::default(),
            metrics: Vec::new(),
            updated: None,
        }
    }

    /// Takes a clean line, and when it was printed.
    pub(crate) fn push(&mut self, line: &str, at: Option<Timestamp>) {
        self.lines += 1;
        let Some(mut reading) = read(line) else {
            return;
        };
        self.matched += 1;
        self.updated = at.or(self.updated);
        if !self.families.contains(&reading.family) {
            self.families.push(reading.family);
        }
        if reading.family == Family::Keras {
            self.headline(&mut reading);
        }
        if let Some(epoch) = reading.epoch {
            self.from_zero |= epoch == 0.0 || reading.family == Family::Lightning;
            let known = self.epoch.and_then(|(_, epochs)| epochs);
            self.epoch = Some((epoch, reading.epochs.or(known)));
        }
        let step = self.step(&reading);
        for (name, value) in &reading.values {
            self.metric(name, step, reading.epoch, *value);
        }
        self.stand(reading, step, at);
    }

    /// Bars of Keras are of the epoch that was named before them.
    fn headline(&mut self, reading: &mut Reading) {
        match (reading.epoch, self.head) {
            (Some(epoch), _) => self.head = Some((epoch, reading.epochs)),
            (None, Some((epoch, epochs))) => (reading.epoch, reading.epochs) = (Some(epoch), epochs),
            (None, None) => {}
        }
    }

    /// Steps since the training began, as far as they can be told.
    fn step(&self, reading: &Reading) -> Option<f64> {
        if let Some(step) = reading.step {
            return Some(step as f64);
        }
        let (done, total) = reading.of_epoch?;
        Some(self.whole_epochs(reading.epoch?) * total as f64 + done as f64)
    }

    /// How many epochs are over.
    fn whole_epochs(&self, epoch: f64) -> f64 {
        (epoch - if self.from_zero { 0.0 } else { 1.0 }).max(0.0)
    }

    fn metric(&mut self, name: &str, step: Option<f64>, epoch: Option<f64>, value: f64) {
        let known = self.metrics.iter_mut().position(|metric| metric.name == name);
        let at = known.unwrap_or(self.metrics.len());
        if at == MOST_FOLLOWED {
            return;
        }
        if at == self.metrics.len() {
            self.metrics.push(Growing::new(name.to_owned()));
        }
        self.metrics[at].push(step, epoch, value, self.most_points);
    }

    fn stand(&mut self, reading: Reading, step: Option<f64>, at: Option<Timestamp>) {
        let nameless = reading.family == Family::Tqdm && reading.epoch.is_none();
        let place = Place {
            step: reading.step,
            steps: reading.steps,
            of_epoch: reading.of_epoch,
            eta: reading.eta,
            rates: reading.rates,
        };
        if let (true, Some(steps)) = (nameless, place.steps) {
            if self.bars.len() < MOST_BARS || self.bars.contains_key(&steps) {
                self.bars.insert(steps, place);
            }
            return;
        }
        for rate in &place.rates {
            self.rates.retain(|(unit, _)| *unit != rate.0);
            self.rates.push(rate.clone());
        }
        if place.step.is_some() || place.of_epoch.is_some() {
            self.place = Some(place);
            self.pace.at(step, at);
        }
    }

    /// What it comes to.
    pub(crate) fn told(mut self) -> Told {
        let position = self.position();
        let wanted = self.wanted.take().unwrap_or_default();
        let fits = |metric: &Growing| metric.name.to_lowercase().contains(&wanted);
        // Who asks for a metric that there is not is told those that there are.
        let rest: Vec<String> = if self.metrics.iter().any(fits) {
            Vec::new()
        } else {
            self.metrics.iter().map(|metric| metric.name.clone()).collect()
        };
        self.metrics.retain(fits);
        // What is trained for comes first, the rest in the order of the log.
        self.metrics.sort_by_key(|metric| {
            let name = metric.name.as_str();
            let exact = ["loss", "train_loss", "train/loss"].contains(&name);
            if exact {
                0
            } else {
                2 - usize::from(name.contains("loss"))
            }
        });
        let others = self.metrics.split_off(self.metrics.len().min(MOST_TOLD));
        self.families.sort();
        Told {
            families: self.families,
            lines: self.lines,
            matched: self.matched,
            position,
            metrics: self.metrics.into_iter().map(Growing::told).collect(),
            others: others.into_iter().map(|metric| metric.name).chain(rest).collect(),
            updated: self.updated,
        }
    }

    fn position(&mut self) -> Position {
        let bar = self.bars.pop_last().map(|(_, bar)| bar);
        let place = self.place.take().or(bar);
        let mut rates: Vec<Rate> = place.iter().flat_map(|place| &place.rates).map(told_rate).collect();
        for rate in self.rates.iter().rev().map(told_rate) {
            if !rates.iter().any(|known| known.unit == rate.unit) {
                rates.push(rate);
            }
        }
        let per_step = |rate: &&Rate| ["it/s", "step/s", "steps/s", "batch/s"].contains(&rate.unit.as_str());
        let measured = self
            .pace
            .per_second()
            .filter(|_| !rates.iter().any(|rate| per_step(&rate)));
        rates.extend(measured.map(|value| Rate {
            unit: "steps/s".into(),
            value: rounded(value),
            measured: true,
        }));
        let pace = rates.iter().find(per_step).map(|rate| rate.value).or(measured);
        rates.truncate(MOST_RATES);
        let (epoch, epochs) = self.epoch.unzip();
        let mut position = Position {
            epoch,
            epochs: epochs.flatten(),
            throughput: rates,
            ..Position::default()
        };
        if let Some(place) = place {
            position.step = place.step;
            position.steps = place.steps;
            (position.epoch_step, position.epoch_steps) = place.of_epoch.unzip();
            match place.of_epoch {
                Some(_) => position.epoch_eta_seconds = place.eta,
                None => position.eta_seconds = place.eta,
            }
        }
        self.ends(&mut position, pace);
        position
    }

    /// The part that is done and the time to go, where the log tells the end.
    fn ends(&self, position: &mut Position, pace: Option<f64>) {
        let (done, total) = match (position.step, position.steps, position.epoch_step, position.epoch_steps) {
            (Some(step), Some(steps), ..) => (step as f64, steps as f64),
            (_, _, Some(step), Some(steps)) => match (position.epoch, position.epochs) {
                (Some(epoch), Some(epochs)) => {
                    let steps = steps as f64;
                    (self.whole_epochs(epoch) * steps + step as f64, epochs * steps)
                }
                _ => return,
            },
            _ => match (position.epoch, position.epochs) {
                (Some(epoch), Some(epochs)) => (epoch, epochs),
                _ => return,
            },
        };
        if !(total > 0.0 && done >= 0.0) {
            return;
        }
        position.percent = Some((done / total * 1000.0).round().clamp(0.0, 1000.0) / 10.0);
        let counts_steps = position.steps.is_some() || position.epoch_steps.is_some();
        if position.eta_seconds.is_none() && counts_steps {
            let left = pace.map(|pace| ((total - done).max(0.0) / pace).round());
            position.eta_seconds = left
                .filter(|left| left.is_finite() && *left < 1e9)
                .map(|left| left as u64);
        }
    }
}

fn told_rate((unit, value): &(String, f64)) -> Rate {
    Rate {
        unit: unit.clone(),
        value: rounded(*value),
        measured: false,
    }
}

/// Rates need no more than four digits.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

/// Steps and the times of their lines, since the steps last fell.
#[derive(Debug, Default)]
struct Pace {
    first: Option<(f64, Timestamp)>,
    last: Option<(f64, Timestamp)>,
}

impl Pace {
    fn at(&mut self, step: Option<f64>, at: Option<Timestamp>) {
        let Some(now) = step.zip(at) else {
            return;
        };
        if self.last.is_none_or(|(last, _)| now.0 < last) {
            self.first = Some(now);
        }
        self.last = Some(now);
    }

    /// Steps in a second; none when less than a second tells.
    fn per_second(&self) -> Option<f64> {
        let ((from, began), (to, now)) = self.first.zip(self.last)?;
        let seconds = now.duration_since(began).as_secs_f64();
        (seconds >= 1.0 && to > from).then(|| (to - from) / seconds)
    }
}
