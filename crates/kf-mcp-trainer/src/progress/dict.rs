//! Dictionaries: `{'loss': 1.2, 'learning_rate': 2e-05, 'epoch': 0.1}` of Hugging Face's Trainer, whose newer versions quote
//! the numbers too, and JSON lines.

use std::sync::LazyLock;

use regex::Regex;

use super::number::{NUMBER, number};
use super::pairs::is_metric;
use super::{Family, Reading};

static ENTRY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&format!(
        r#"['"](?P<name>[A-Za-z][\w /@.-]{{0,47}})['"]\s*:\s*['"]?(?P<value>{NUMBER})['"]?\s*[,}}]"#
    ))
    .ok()
});

/// What a line with a dictionary says; none when no value in it is one of a training.
pub(super) fn read(line: &str) -> Option<Reading> {
    let inner = &line[line.find('{')?..=line.rfind('}')?.max(line.find('{')?)];
    let trainer = inner.starts_with("{'");
    let mut reading = Reading::new(if trainer { Family::HuggingFace } else { Family::Plain });
    for entry in ENTRY.as_ref()?.captures_iter(inner) {
        let name = entry["name"].replace(' ', "_");
        let value = number(&entry["value"])?;
        match name.as_str() {
            "epoch" => reading.epoch = Some(value),
            "step" | "global_step" | "iteration" if value >= 0.0 => reading.step = Some(value as u64),
            "max_steps" | "total_steps" if value >= 1.0 => reading.steps = Some(value as u64),
            _ => reading.add(&name, value),
        }
    }
    let placed = reading.epoch.is_some() || reading.step.is_some();
    let measured = reading.values.iter().any(|(name, _)| is_metric(name));
    (measured || placed && !(reading.values.is_empty() && reading.rates.is_empty())).then_some(reading)
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    #[test]
    fn numbers_may_be_quoted() {
        for line in [
            "{'loss': 1.2, 'grad_norm': 0.57, 'learning_rate': 1.98e-05, 'epoch': 0.1}",
            "{'loss': '1.2', 'grad_norm': '0.57', 'learning_rate': '1.98e-05', 'epoch': '0.1'}",
            "[rank0]: {'loss': 1.2, 'grad_norm': 0.57, 'learning_rate': 1.98e-05, 'epoch': 0.1} ",
        ] {
            let reading = read(line).unwrap();
            assert_eq!(
                (reading.family, reading.epoch, reading.step),
                (Family::HuggingFace, Some(0.1), None)
            );
            let want = [("loss", 1.2), ("grad_norm", 0.57), ("learning_rate", 1.98e-5)];
            assert_eq!(
                reading.values,
                want.map(|(name, value)| (name.to_owned(), value)),
                "{line}"
            );
        }
    }

    #[test]
    fn the_summary_and_evaluations_are_read() {
        let end = read("{'train_runtime': 100.5, 'train_samples_per_second': 9.9, 'train_steps_per_second': 1.2, 'total_flos': 1e15, 'train_loss': 0.9, 'epoch': 3.0}").unwrap();
        assert_eq!(end.values, [("train_loss".to_owned(), 0.9)]);
        assert_eq!(end.rates.len(), 2);
        let eval = read("{'eval_loss': nan, 'eval_runtime': 1.0, 'epoch': 1.0}").unwrap();
        assert!(eval.values[0].0 == "eval_loss" && eval.values[0].1.is_nan());
    }

    #[test]
    fn json_lines_are_read_and_other_objects_are_not() {
        let line = read(r#"{"level": "info", "step": 100, "train/loss": 0.5, "tokens_per_sec": 4100.0}"#).unwrap();
        assert_eq!((line.family, line.step), (Family::Plain, Some(100)));
        assert_eq!(line.values, [("train/loss".to_owned(), 0.5)]);
        for other in [
            "{'model_type': 'llama', 'hidden_size': 4096}",
            "}{",
            "{}",
            r#"{"port": 8080}"#,
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
