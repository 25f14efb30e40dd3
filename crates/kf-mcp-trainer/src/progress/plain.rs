//! Lines that programs print themselves: `step=100 loss=0.5 lr=1e-4`, `Epoch [1/10], Step [100/600], Loss: 0.5`,
//! `Train Epoch: 1 [640/60000 (1%)]  Loss: 2.27`, ` iteration  10/ 1000 | lm loss: 1.0E+01 |`.

use std::sync::LazyLock;

use regex::Regex;

use super::number::{count, number};
use super::pairs::{is_metric, pairs};
use super::{Family, Reading};

static STEP: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r#"(?i)\b(?:global[_ ]?step|steps?|iterations?|iters?|updates?|batch)\b['"]?\s*[:=#]?\s*[\[(]?\s*"#,
        r"(?P<done>\d[\d,]*)(?:\s*(?:/|of)\s*(?P<total>\d[\d,]*))?"
    ))
    .ok()
});

static EPOCH: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r#"(?i)\bepoch\b['"]?\s*(?:\(train\))?\s*[:=#]?\s*[\[(]?\s*(?P<done>\d+(?:\.\d+)?)"#,
        r"(?:\s*(?:/|of)\s*(?P<total>\d+))?"
    ))
    .ok()
});

/// `[640/60000 (1%)]`, `[ 10/5005]`: the part of an epoch.
static PART: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\[\s*(?P<done>\d+)/\s*(?P<total>\d+)(?:\s*\(\s*\d+%\))?\]").ok());

static ETA: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\beta\b\s*[:=]?\s*(?:(?P<days>\d+) days?,? )?(?P<clock>\d+:\d\d(?::\d\d)?)").ok()
});

/// What a line says: values with a step or an epoch, values that only trainings have, or a step and how many there are.
pub(super) fn read(line: &str) -> Option<Reading> {
    let mut reading = Reading::new(Family::Plain);
    let epoch = EPOCH.as_ref()?.captures(line);
    if let Some(found) = &epoch {
        reading.epoch = number(&found["done"]);
        reading.epochs = found.name("total").and_then(|total| number(total.as_str()));
    }
    if let Some(found) = STEP.as_ref()?.captures(line) {
        reading.step = count(&found["done"]);
        reading.steps = found.name("total").and_then(|total| count(total.as_str()));
        // Who counts the epochs and the steps towards ends of their own counts the steps of each epoch.
        if let (Some(_), Some(step), Some(steps)) = (reading.epochs, reading.step, reading.steps) {
            reading.of_epoch = Some((step, steps));
            (reading.step, reading.steps) = (None, None);
        }
    } else if let Some(found) = epoch.and_then(|epoch| PART.as_ref()?.captures(&line[epoch.get(0)?.end()..])) {
        reading.of_epoch = count(&found["done"]).zip(count(&found["total"]));
    }
    let placed = reading.step.is_some() || reading.epoch.is_some();
    for (name, value) in pairs(line) {
        let Some(plain) = super::pairs::plain_name(name) else {
            continue;
        };
        if placed || is_metric(&plain) {
            reading.add(&plain, value);
        }
    }
    reading.eta = ETA.as_ref()?.captures(line).and_then(|found| {
        let days = found.name("days").map_or(Some(0), |days| count(days.as_str()))?;
        days.checked_mul(86_400)?
            .checked_add(super::number::clock(&found["clock"])?)
    });
    let measured = reading.values.iter().any(|(name, _)| is_metric(name));
    (measured || placed && !reading.rates.is_empty() || reading.steps.is_some()).then_some(reading)
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    type Place = (Option<u64>, Option<u64>, Option<(u64, u64)>, Option<f64>, Option<f64>);

    /// A line, where it says that the training stands, and its values.
    type Case = (&'static str, Place, &'static [(&'static str, f64)]);

    fn place(reading: &Reading) -> Place {
        (
            reading.step,
            reading.steps,
            reading.of_epoch,
            reading.epoch,
            reading.epochs,
        )
    }

    #[test]
    fn lines_of_many_programs_are_read() {
        let table: [Case; 9] = [
            (
                "step=100 loss=0.5 lr=1e-4",
                (Some(100), None, None, None, None),
                &[("loss", 0.5), ("lr", 1e-4)],
            ),
            (
                "[rank0] step 500/120000 loss=2.7310 lr=3.00e-04 tokens/s=41342",
                (Some(500), Some(120_000), None, None, None),
                &[("loss", 2.731), ("lr", 3e-4)],
            ),
            (
                "Epoch [1/10], Step [100/600], Loss: 0.5",
                (None, None, Some((100, 600)), Some(1.0), Some(10.0)),
                &[("loss", 0.5)],
            ),
            (
                "Train Epoch: 1 [640/60000 (1%)]\tLoss: 2.278",
                (None, None, Some((640, 60_000)), Some(1.0), None),
                &[("loss", 2.278)],
            ),
            (
                "Epoch: [0][  10/5005]\tTime  0.512 ( 0.6)\tLoss 6.9e+00 (6.9e+00)\tAcc@1   0.39 (  0.20)",
                (None, None, Some((10, 5005)), Some(0.0), None),
                &[("loss", 6.9), ("acc@1", 0.39)],
            ),
            (
                " iteration       10/    1000 | consumed samples:  80 | learning rate: 1.0E-04 | lm loss: 1.08E+01 | grad norm: 2.5 |",
                (Some(10), Some(1000), None, None, None),
                &[("learning_rate", 1e-4), ("lm_loss", 10.8), ("grad_norm", 2.5)],
            ),
            (
                "epoch 2 loss 0.7",
                (None, None, None, Some(2.0), None),
                &[("loss", 0.7)],
            ),
            (
                "2026-01-01 12:00:00,123 INFO train: val_loss = 0.25",
                (None, None, None, None, None),
                &[("val_loss", 0.25)],
            ),
            (
                "step 1,024 of 2,048 - loss: NaN",
                (Some(1024), Some(2048), None, None, None),
                &[("loss", f64::NAN)],
            ),
        ];
        for (line, want, values) in table {
            let reading = read(line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(place(&reading), want, "{line}");
            let same =
                |(a, b): (&(String, f64), &(&str, f64))| a.0 == b.0 && (a.1 == b.1 || a.1.is_nan() && b.1.is_nan());
            assert_eq!(reading.values.len(), values.len(), "{line}: {:?}", reading.values);
            assert!(
                reading.values.iter().zip(values).all(same),
                "{line}: {:?}",
                reading.values
            );
        }
    }

    #[test]
    fn rates_and_the_time_to_go_are_read() {
        let reading = read("step 10 loss=1 tokens/s=41000 eta: 1 day, 2:03:04").unwrap();
        assert_eq!(reading.rates, [("tokens/s".to_owned(), 41_000.0)]);
        assert_eq!(reading.eta, Some(86_400 + 7384));
    }

    #[test]
    fn other_lines_say_nothing() {
        for line in [
            "",
            "Traceback (most recent call last):",
            "  Total optimization steps = 1,000",
            "  Num Epochs = 3",
            "warmup steps: 100",
            "resuming from checkpoint /workspace/checkpoints/step-500",
            "I torchrun: rendezvous at node-0:29500, node 0 of 4",
            "Downloading model: port=8080",
            "saved to /checkpoints/2",
            "10.0.0.1 - GET /metrics HTTP/1.1 200",
            "epoch 3 starts",
            "NCCL version 2.27.7+cuda13.0",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }
}
