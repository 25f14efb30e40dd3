//! Keras: `12/60 ━━━━━ 1s 20ms/step - accuracy: 0.5 - loss: 1.2` after `Epoch 1/10`, in the writing of Keras 2 and 3.

use std::sync::LazyLock;

use regex::Regex;

use super::number::{count, number};
use super::pairs::pairs;
use super::{Family, Reading};

static BAR: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"^(?P<done>\d+)/(?P<total>\d+)\s+(?:\[[=>.]*\]|[━─╸]+|-)\s*(?:-\s*)?",
        r"(?:(?:ETA: )?(?P<clock>[\d:]+)s?\s*)?(?:-\s*)?(?:(?P<pace>[\d.]+)(?P<unit>us|ms|s)/(?:step|sample|epoch))?(?P<values>.*)$"
    ))
    .ok()
});

static HEAD: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^Epoch (?P<epoch>\d+)/(?P<epochs>\d+)$").ok());

/// What a line of Keras says: a bar, or the epoch that the bars after it are of.
pub(super) fn read(line: &str) -> Option<Reading> {
    if let Some(head) = HEAD.as_ref()?.captures(line) {
        let mut reading = Reading::new(Family::Keras);
        (reading.epoch, reading.epochs) = (number(&head["epoch"]), number(&head["epochs"]));
        return Some(reading);
    }
    let found = BAR.as_ref()?.captures(line)?;
    let text = |name: &str| found.name(name).map_or("", |part| part.as_str());
    let mut reading = Reading::new(Family::Keras);
    reading.of_epoch = Some((count(text("done"))?, count(text("total"))?));
    let factor = match text("unit") {
        "us" => 1e-6,
        "ms" => 1e-3,
        _ => 1.0,
    };
    let pace = number(text("pace")).map(|pace| pace * factor);
    reading.rates.extend(
        pace.filter(|pace| *pace > 0.0)
            .map(|pace| ("step/s".to_owned(), 1.0 / pace)),
    );
    for part in text("values").split(" - ") {
        for (name, value) in pairs(part) {
            reading.add(name, value);
        }
    }
    (!reading.values.is_empty() || !reading.rates.is_empty()).then_some(reading)
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    #[test]
    fn bars_of_all_versions_are_read() {
        for (line, of_epoch, rate) in [
            (
                "12/60 ━━━━━━━━━━━━━━━━━━━━ 1s 20ms/step - accuracy: 0.5000 - loss: 1.2000",
                (12, 60),
                Some(50.0),
            ),
            (
                "12/60 [=====>........................] - ETA: 1s - loss: 1.2000 - accuracy: 0.5000",
                (12, 60),
                None,
            ),
            (
                "60/60 [==============================] - 1s 20ms/step - loss: 1.2 - accuracy: 0.5",
                (60, 60),
                Some(50.0),
            ),
            (
                "60/60 - 1s - 20ms/step - accuracy: 0.5000 - loss: 1.2000",
                (60, 60),
                Some(50.0),
            ),
        ] {
            let reading = read(line).unwrap();
            assert_eq!(
                (reading.family, reading.of_epoch),
                (Family::Keras, Some(of_epoch)),
                "{line}"
            );
            let mut values = reading.values;
            values.sort_by(|a, b| a.0.cmp(&b.0));
            assert_eq!(
                values,
                [("accuracy".to_owned(), 0.5), ("loss".to_owned(), 1.2)],
                "{line}"
            );
            assert_eq!(reading.rates.first().map(|(_, rate)| rate.round()), rate, "{line}");
        }
        let head = read("Epoch 3/10").unwrap();
        assert_eq!((head.epoch, head.epochs), (Some(3.0), Some(10.0)));
        assert_eq!(read("5/6 of the files - done"), None);
    }
}
