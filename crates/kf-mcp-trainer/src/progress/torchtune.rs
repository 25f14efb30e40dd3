//! torchtune: `1|25|Loss: 1.5:  10%|█ | 25/250 [00:10<01:30, 2.50it/s]`, and `Step 25 | loss:1.5 lr:2e-05`.

use std::sync::LazyLock;

use regex::Regex;

use super::bar::Bar;
use super::number::{count, number};
use super::pairs::pairs;
use super::{Family, Reading};

static ABOUT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?:^|\s)(?P<epoch>\d+)\|(?P<step>\d+)\|(?P<values>.*)$").ok());

static LOGGER: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?:^|\s)Step (?P<step>\d+) \| (?P<values>\S+:.*)$").ok());

/// What its bar says: the words before it are the epoch from 1, the steps of all epochs, and the loss.
pub(super) fn of_bar(bar: &Bar<'_>) -> Option<Reading> {
    let found = ABOUT.as_ref()?.captures(bar.about)?;
    let text = |name: &str| found.name(name).map_or("", |part| part.as_str());
    let mut reading = bar.start(Family::Torchtune);
    reading.step = count(text("step"));
    reading.epoch = number(text("epoch"));
    reading.of_epoch = Some((bar.done, bar.total));
    for (name, value) in pairs(text("values")) {
        reading.add(name, value);
    }
    Some(reading)
}

/// What its logger to the standard output says.
pub(super) fn logger(line: &str) -> Option<Reading> {
    let found = LOGGER.as_ref()?.captures(line)?;
    let mut reading = Reading::new(Family::Torchtune);
    reading.step = count(&found["step"]);
    for (name, value) in pairs(&found["values"]) {
        reading.add(name, value);
    }
    (!reading.values.is_empty()).then_some(reading)
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    #[test]
    fn a_bar_has_the_epoch_the_step_and_the_loss() {
        let line = "1|25|Loss: 1.5234375:  10%|█         | 25/250 [00:10<01:30,  2.50it/s]";
        for line in [line.to_owned(), format!("INFO:torchtune {line}")] {
            let reading = read(&line).unwrap();
            assert_eq!(
                (reading.family, reading.step, reading.steps),
                (Family::Torchtune, Some(25), None)
            );
            assert_eq!(
                (reading.epoch, reading.of_epoch, reading.eta),
                (Some(1.0), Some((25, 250)), Some(90))
            );
            assert_eq!(reading.values, [("loss".to_owned(), 1.523_437_5)]);
        }
        assert!(
            read("1|26|Loss: nan:  10%|█| 26/250 [00:10<01:30, 2.50it/s]")
                .unwrap()
                .values[0]
                .1
                .is_nan()
        );
    }

    #[test]
    fn the_logger_has_values_and_a_rate() {
        let reading = read("Step 7 | loss:0.91 lr:2e-05 tokens_per_second_per_gpu:1204.5 ").unwrap();
        assert_eq!((reading.family, reading.step), (Family::Torchtune, Some(7)));
        assert_eq!(reading.values, [("loss".to_owned(), 0.91), ("lr".to_owned(), 2e-5)]);
        assert_eq!(reading.rates, [("tokens_per_second_per_gpu".to_owned(), 1204.5)]);
    }
}
