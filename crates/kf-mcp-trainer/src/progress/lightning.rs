//! PyTorch Lightning: `Epoch 0:  25%|██▌ | 10/40 [00:05<00:15, 2.00it/s, v_num=0, train_loss=0.5]`, and its bar by Rich.

use std::sync::LazyLock;

use regex::Regex;

use super::bar::Bar;
use super::number::{clock, count, number};
use super::pairs::pairs;
use super::{Family, Reading};

static RICH: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"^Epoch (?P<epoch>\d+)(?:/(?P<last>-?\d+))?\s+[━╸╺─ ]*\s(?P<done>\d+)/(?P<total>\d+)\s+",
        r"[\d:]+\s*•\s*(?P<eta>[\d:-]+)\s+(?P<rate>[\d.]+)it/s(?P<values>.*)$"
    ))
    .ok()
});

/// What its bar says; it is known by the number of the version.
pub(super) fn of_bar(bar: &Bar<'_>) -> Option<Reading> {
    let (epoch, last) = bar.epoch().filter(|_| bar.more.contains("v_num="))?;
    let mut reading = bar.start(Family::Lightning);
    place(&mut reading, epoch, last, (bar.done, bar.total));
    Some(reading)
}

/// What its bar by Rich says.
pub(super) fn rich(line: &str) -> Option<Reading> {
    let found = RICH.as_ref()?.captures(line)?;
    let text = |name: &str| found.name(name).map_or("", |part| part.as_str());
    let mut reading = Reading::new(Family::Lightning);
    let last = number(text("last")).filter(|last| *last >= 0.0);
    let of_epoch = (count(text("done"))?, count(text("total"))?);
    place(&mut reading, number(text("epoch"))?, last, of_epoch);
    reading.eta = clock(text("eta"));
    reading
        .rates
        .extend(number(text("rate")).map(|rate| ("it/s".to_owned(), rate)));
    for (name, value) in pairs(text("values")) {
        // The name is the last word: the value before it is a word too.
        reading.add(name.rsplit(' ').next().unwrap_or(name), value);
    }
    Some(reading)
}

/// Lightning counts epochs from 0, and names the last one instead of their number.
fn place(reading: &mut Reading, epoch: f64, last: Option<f64>, of_epoch: (u64, u64)) {
    reading.epoch = Some(epoch);
    reading.epochs = last.map(|last| last + 1.0);
    reading.of_epoch = Some(of_epoch);
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    #[test]
    fn bars_tell_the_step_of_the_epoch_and_the_values() {
        for line in [
            "Epoch 0:  25%|██▌       | 10/40 [00:05<00:15,  2.00it/s, v_num=0, train_loss=0.500, val_acc=0.91]",
            "Epoch 0/9 ━━━━━━━━━━━━━━━━━━━━ 10/40 0:00:05 • 0:00:15 2.00it/s v_num: 0.000 train_loss: 0.500 val_acc: 0.91",
        ] {
            let reading = read(line).unwrap();
            assert_eq!(
                (reading.family, reading.epoch, reading.of_epoch),
                (Family::Lightning, Some(0.0), Some((10, 40)))
            );
            assert_eq!((reading.step, reading.eta), (None, Some(15)), "{line}");
            assert_eq!(reading.rates, [("it/s".to_owned(), 2.0)]);
            assert_eq!(
                reading.values,
                [("train_loss".to_owned(), 0.5), ("val_acc".to_owned(), 0.91)],
                "{line}"
            );
            assert_eq!(reading.epochs, line.contains("/9").then_some(10.0));
        }
    }
}
