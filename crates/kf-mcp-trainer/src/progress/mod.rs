//! What a training prints about its progress, read line by line: one file for each family of patterns.
//!
//! Everything here is pure and bounded. A log is text that anybody may have written: what is read from it is told as read from
//! the log, never as what the job's status says.

mod bar;
mod boosting;
pub(crate) mod chart;
mod dict;
mod keras;
mod lightning;
mod number;
mod pairs;
mod plain;
mod series;
mod spark;
mod story;
#[cfg(test)]
mod story_tests;
mod torchtune;

pub(crate) use number::short;
pub(crate) use series::{Along, Series};
pub(crate) use spark::sparkline;
pub(crate) use story::{Position, Story, Told};

/// How much of a line is looked at, in bytes.
const MAX_LINE: usize = 2000;

/// Whose way of printing a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    /// The dictionaries of Hugging Face's Trainer, also JSON lines.
    HuggingFace,
    /// torchtune's bars and its logger.
    Torchtune,
    /// The bars of PyTorch Lightning.
    Lightning,
    /// Keras' bars.
    Keras,
    /// The rounds of XGBoost and LightGBM.
    Boosting,
    /// Any other bar of tqdm.
    Tqdm,
    /// `step=1 loss=0.5` and its like.
    Plain,
}

impl Family {
    /// The family in words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::HuggingFace => "Hugging Face",
            Self::Torchtune => "torchtune",
            Self::Lightning => "Lightning",
            Self::Keras => "Keras",
            Self::Boosting => "XGBoost",
            Self::Tqdm => "tqdm",
            Self::Plain => "plain lines",
        }
    }
}

/// What one line says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reading {
    pub(crate) family: Family,
    /// Steps since the training began.
    pub(crate) step: Option<u64>,
    /// How many steps there are in all.
    pub(crate) steps: Option<u64>,
    /// Steps of this epoch, and how many it has.
    pub(crate) of_epoch: Option<(u64, u64)>,
    pub(crate) epoch: Option<f64>,
    pub(crate) epochs: Option<f64>,
    /// Seconds to go, of what the step counts towards.
    pub(crate) eta: Option<u64>,
    /// How much is done in a second, by unit.
    pub(crate) rates: Vec<(String, f64)>,
    /// Named values, also NaN and infinite ones.
    pub(crate) values: Vec<(String, f64)>,
}

impl Reading {
    fn new(family: Family) -> Self {
        Self {
            family,
            step: None,
            steps: None,
            of_epoch: None,
            epoch: None,
            epochs: None,
            eta: None,
            rates: Vec::new(),
            values: Vec::new(),
        }
    }

    /// Adds a named value: to the rates when its name says so, else to the values.
    fn add(&mut self, name: &str, value: f64) {
        let Some(name) = pairs::plain_name(name) else {
            return;
        };
        let list = if pairs::is_rate(&name) {
            &mut self.rates
        } else {
            &mut self.values
        };
        if list.len() < pairs::MOST && !list.iter().any(|(known, _)| *known == name) {
            list.push((name, value));
        }
    }
}

/// What a line says, none when it says nothing about progress. The line is clean of terminal codes.
pub(crate) fn read(line: &str) -> Option<Reading> {
    let mut end = line.len().min(MAX_LINE);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    let line = line[..end].trim();
    // From the most special to the most general: a bar of torchtune is one of tqdm too.
    if let Some(bar) = bar::Bar::find(line) {
        return torchtune::of_bar(&bar)
            .or_else(|| lightning::of_bar(&bar))
            .or_else(|| bar.reading());
    }
    lightning::rich(line)
        .or_else(|| keras::read(line))
        .or_else(|| dict::read(line))
        .or_else(|| boosting::read(line))
        .or_else(|| torchtune::logger(line))
        .or_else(|| plain::read(line))
}
