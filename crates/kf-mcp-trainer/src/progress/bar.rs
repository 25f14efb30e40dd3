//! Progress bars of tqdm: `Epoch 1:  25%|██▌  | 10/40 [00:05<00:15, 2.00it/s, loss=0.5]`.

use std::sync::LazyLock;

use regex::Regex;

use super::number::{clock, number};
use super::pairs::pairs;
use super::{Family, Reading};

static BAR: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"\d{1,3}%\|[^|]*\|\s*(?P<done>\d[\d.]*)(?P<scale>[kKMGT]?)/(?P<total>\d[\d.]*)(?P<of>[kKMGT]?)\s*",
        r"\[(?P<elapsed>[\d:]+)<(?P<eta>[\d:]+|\?),\s*(?P<rate>[\d.]+|\?)(?P<unit>[^,\]\s]*)(?P<more>,[^\]]*)?\]?"
    ))
    .ok()
});

static EPOCH: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)\bepochs?[\s:\[]*(?P<epoch>\d+)(?:\s*/\s*(?P<epochs>\d+))?").ok());

/// What the words before a bar begin with when it measures something other than the training.
const OTHERS: [&str; 30] = [
    "map",
    "filter",
    "tokeniz",
    "download",
    "fetch",
    "generat",
    "loading",
    "shard",
    "upload",
    "extract",
    "saving",
    "sanity",
    "validat",
    "evaluat",
    "eval",
    "test",
    "predict",
    "resolv",
    "pack",
    "writing",
    "preprocess",
    "process",
    "checkpoint",
    "cach",
    "flatten",
    "dropp",
    "adding",
    "convert",
    "truncat",
    "creat",
];

/// A bar, taken apart.
#[derive(Debug)]
pub(super) struct Bar<'a> {
    /// The words before it.
    pub(super) about: &'a str,
    pub(super) done: u64,
    pub(super) total: u64,
    /// Seconds to go.
    pub(super) eta: Option<u64>,
    /// Steps in a second, with the unit.
    rate: Option<(String, f64)>,
    /// The values after it.
    pub(super) more: &'a str,
}

impl<'a> Bar<'a> {
    /// The last bar of a line.
    pub(super) fn find(line: &'a str) -> Option<Self> {
        if !line.contains("%|") {
            return None;
        }
        let found = BAR.as_ref()?.captures_iter(line).last()?;
        let whole = found.get(0)?;
        let about = line[..whole.start()].trim().trim_end_matches(':').trim_end();
        let text = |name: &str| found.name(name).map_or("", |part| part.as_str());
        Some(Self {
            about,
            done: scaled(text("done"), text("scale"))?,
            total: scaled(text("total"), text("of"))?,
            eta: clock(text("eta")),
            rate: rate(text("rate"), text("unit")),
            more: found.name("more").map_or("", |part| part.as_str()),
        })
    }

    /// A reading with the bar's rate and the values after it.
    pub(super) fn start(&self, family: Family) -> Reading {
        let mut reading = Reading::new(family);
        reading.eta = self.eta;
        reading.rates.extend(self.rate.clone());
        for (name, value) in pairs(self.more) {
            reading.add(name, value);
        }
        reading
    }

    /// The epoch that the words before the bar name, and the last one.
    pub(super) fn epoch(&self) -> Option<(f64, Option<f64>)> {
        let found = EPOCH.as_ref()?.captures(self.about)?;
        let part = |name: &str| found.name(name).and_then(|part| number(part.as_str()));
        Some((part("epoch")?, part("epochs")))
    }

    /// What the bar of a training says; none for one of something else.
    pub(super) fn reading(&self) -> Option<Reading> {
        let about = self.about.to_ascii_lowercase();
        let other = |word: &str| OTHERS.iter().any(|start| word.starts_with(start));
        let of_data = self
            .rate
            .as_ref()
            .is_some_and(|(unit, _)| unit.contains("examples") || unit.ends_with("B/s"));
        if of_data || about.split(|c: char| !c.is_alphanumeric()).any(other) {
            return None;
        }
        let mut reading = self.start(Family::Tqdm);
        match self.epoch() {
            // A bar of epochs: `Epochs:  30%|███  | 3/10`.
            None if about.starts_with("epoch") => {
                (reading.epoch, reading.epochs) = (Some(self.done as f64), Some(self.total as f64));
            }
            None => (reading.step, reading.steps) = (Some(self.done), Some(self.total)),
            Some((epoch, epochs)) => {
                (reading.epoch, reading.epochs) = (Some(epoch), epochs);
                reading.of_epoch = Some((self.done, self.total));
            }
        }
        Some(reading)
    }
}

fn scaled(digits: &str, scale: &str) -> Option<u64> {
    let factor = match scale {
        "" => 1.0,
        "k" | "K" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        _ => 1e12,
    };
    let value = number(digits)? * factor;
    (value.is_finite() && value < 1e15).then_some(value as u64)
}

/// `2.00it/s` as it is, `1.50s/it` turned round.
fn rate(digits: &str, unit: &str) -> Option<(String, f64)> {
    let value = number(digits).filter(|value| *value > 0.0)?;
    if let Some(thing) = unit.strip_prefix("s/") {
        return Some((format!("{thing}/s"), 1.0 / value));
    }
    let (factor, unit) = match unit.strip_prefix('k') {
        Some(rest) => (1e3, rest),
        None => (1.0, unit),
    };
    (unit.ends_with("/s") && unit.len() <= 16).then(|| (unit.to_owned(), value * factor))
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    #[test]
    fn a_bar_is_taken_apart() {
        let reading = read(" 42%|████▏     | 420/1000 [03:20<04:36,  2.10it/s, loss=0.81, lr=2e-5]").unwrap();
        assert_eq!(
            (reading.family, reading.step, reading.steps),
            (Family::Tqdm, Some(420), Some(1000))
        );
        assert_eq!(
            (reading.eta, reading.rates),
            (Some(276), vec![("it/s".to_owned(), 2.1)])
        );
        assert_eq!(reading.values, [("loss".to_owned(), 0.81), ("lr".to_owned(), 2e-5)]);
    }

    #[test]
    fn slow_scaled_and_new_bars_are_read_too() {
        for (line, step, steps, eta, rate) in [
            ("  3%|▎| 3/100 [00:30<16:10, 10.00s/it]", 3, 100, Some(970), Some(0.1)),
            ("train:  0%|  | 0/100 [00:00<?, ?it/s]", 0, 100, None, None),
            (
                " 10%|█| 1.20k/12.0k [00:10<01:30, 1.2kit/s]",
                1200,
                12_000,
                Some(90),
                Some(1200.0),
            ),
            (
                "  1%|| 5/500 [1:02:03<25:00:00, 2.5step/s]",
                5,
                500,
                Some(90_000),
                Some(2.5),
            ),
        ] {
            let reading = read(line).unwrap();
            assert_eq!(
                (reading.step, reading.steps, reading.eta),
                (Some(step), Some(steps), eta),
                "{line}"
            );
            assert_eq!(reading.rates.first().map(|(_, rate)| *rate), rate, "{line}");
        }
    }

    #[test]
    fn bars_of_something_else_are_not_the_training() {
        for line in [
            "Map:  50%|█████     | 5000/10000 [00:01<00:01, 4000.00 examples/s]",
            "Map (num_proc=4):  50%|█████| 5/10 [00:01<00:01, 4.00it/s]",
            "Loading checkpoint shards: 100%|██████████| 4/4 [00:05<00:00,  1.25s/it]",
            "Fetching 3 files:  33%|███▎| 1/3 [00:00<00:00, 9.00it/s]",
            "model.safetensors:  50%|█████| 2.5G/5.0G [00:10<00:10, 250MB/s]",
            "Validation DataLoader 0:  50%|█████| 5/10 [00:01<00:01, 4.00it/s]",
            "Evaluating:  50%|█████| 5/10 [00:01<00:01, 4.00it/s]",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }

    #[test]
    fn the_words_before_a_bar_name_the_epoch() {
        let reading = read("Epoch 2/3:  25%|██▌| 10/40 [00:05<00:15, 2.00it/s, loss=0.5]").unwrap();
        assert_eq!(
            (reading.epoch, reading.epochs, reading.of_epoch),
            (Some(2.0), Some(3.0), Some((10, 40)))
        );
        let bars = read("Epochs:  30%|███| 3/10 [05:00<11:40, 100.0s/it]").unwrap();
        assert_eq!((bars.epoch, bars.epochs, bars.step), (Some(3.0), Some(10.0), None));
    }
}
