//! XGBoost and LightGBM: `[10]  train-rmse:0.5  eval-rmse:0.6`, `[10]  valid_0's l2: 0.3`.

use std::sync::LazyLock;

use regex::Regex;

use super::number::{NUMBER, count, number};
use super::{Family, Reading};

static ROUND: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?:^|\s)\[(?P<round>\d+)\]\s+(?P<values>[A-Za-z].*)$").ok());

static VALUE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&format!(
        r"(?P<name>[A-Za-z][\w'@. -]*?)\s*:\s*(?P<value>{NUMBER})(?:[\s+,]|$)"
    ))
    .ok()
});

/// What a round says. Every value is of a dataset: `train-rmse`.
pub(super) fn read(line: &str) -> Option<Reading> {
    let found = ROUND.as_ref()?.captures(line)?;
    let mut reading = Reading::new(Family::Boosting);
    reading.step = count(&found["round"]);
    for value in VALUE.as_ref()?.captures_iter(&found["values"]) {
        let name = value["name"].replace("'s ", "-");
        if name.contains('-') && !name.contains(' ') {
            reading.add(&name, number(&value["value"])?);
        }
    }
    (!reading.values.is_empty()).then_some(reading)
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    #[test]
    fn rounds_are_read() {
        for (line, want) in [
            (
                "[10]\ttrain-rmse:0.51234\teval-rmse:0.6",
                vec![("train-rmse", 0.51234), ("eval-rmse", 0.6)],
            ),
            ("[12:00:01] [10]\ttrain-logloss:0.5", vec![("train-logloss", 0.5)]),
            (
                "[10]\ttraining's l2: 0.3\tvalid_1's l2: 0.4",
                vec![("training-l2", 0.3), ("valid_1-l2", 0.4)],
            ),
        ] {
            let reading = read(line).unwrap();
            assert_eq!((reading.family, reading.step), (Family::Boosting, Some(10)), "{line}");
            let want: Vec<(String, f64)> = want.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
            assert_eq!(reading.values, want, "{line}");
        }
        assert_eq!(read("[1] INFO: 5"), None);
    }
}
