//! Names with numbers: `loss=0.5`, `Train Loss: 0.5`, `'loss': '0.5'`, `Loss 6.9e+00 (6.9e+00)`.

use std::sync::LazyLock;

use regex::Regex;

use super::number::{NUMBER, number};

/// The most pairs of one line.
pub(super) const MOST: usize = 16;
/// The longest name, in bytes.
const MAX_NAME: usize = 48;

/// Up to three words, a colon or an equals sign, and a number that may be wrapped as PyTorch and NumPy print theirs.
static PAIR: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let name = r#"(?P<name>(?:[A-Za-z][\w@/.-]*[ ]){0,2}[A-Za-z][\w@/%.-]*)"#;
    Regex::new(&format!(
        r#"{name}['"]?\s*[:=]\s*['"]?(?:tensor\(|np\.float(?:32|64)\()?(?P<value>{NUMBER})"#
    ))
    .ok()
});

/// Names that are followed by their number without a sign between.
static SPACED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let first = "(?:train|training|val|valid|validation|test|eval|avg|average|total|mean)[_ ]";
    Regex::new(&format!(
        r"(?i)\b(?P<name>(?:{first})?(?:loss|accuracy|acc(?:@\d)?|perplexity|ppl|lr|grad_norm))\s+(?P<value>{NUMBER})"
    ))
    .ok()
});

/// All pairs of a text, names as they are written, in order.
pub(super) fn pairs(text: &str) -> Vec<(&str, f64)> {
    let mut found = Vec::new();
    for pattern in [&PAIR, &SPACED].into_iter().filter_map(|pattern| pattern.as_ref()) {
        for pair in pattern.captures_iter(text) {
            let (Some(name), Some(value)) = (pair.name("name"), pair.name("value")) else {
                continue;
            };
            // `0:10:00` is a time, `20ms` a duration, `9906/10000` a part.
            let ends = text[value.end()..]
                .chars()
                .next()
                .is_none_or(|next| next.is_whitespace() || ",;|()[]{}'\"%".contains(next));
            if let (true, Some(number)) = (ends, number(value.as_str())) {
                found.push((name.as_str(), number));
            }
        }
    }
    found.truncate(4 * MOST);
    found
}

/// Words that make a name together with the word before them.
const SECOND: [&str; 7] = ["loss", "norm", "rate", "accuracy", "acc", "perplexity", "score"];

/// A name as it is told: the words that belong together, in lower case, joined; none when it is the name of no value.
pub(super) fn plain_name(written: &str) -> Option<String> {
    let mut words: Vec<String> = written.split_whitespace().map(str::to_ascii_lowercase).collect();
    let last = words.pop()?;
    let before = words.pop().filter(|word| {
        SECOND.contains(&last.as_str()) && word.chars().all(|c| c.is_ascii_alphabetic()) && !is_chatter(word)
    });
    let name = before.map_or(last.clone(), |before| format!("{before}_{last}"));
    (name.len() <= MAX_NAME && !is_no_value(&name)).then_some(name)
}

/// Words that loggers put before a message.
fn is_chatter(word: &str) -> bool {
    ["info", "debug", "warning", "step", "epoch", "iter", "and", "the", "is"].contains(&word)
}

/// Names that number something instead of measuring it.
fn is_no_value(name: &str) -> bool {
    [
        "step",
        "steps",
        "global_step",
        "iter",
        "iters",
        "iteration",
        "iterations",
        "batch",
        "epoch",
        "epochs",
        "update",
        "updates",
        "rank",
        "local_rank",
        "global_rank",
        "world_size",
        "seed",
        "pid",
        "port",
        "node",
        "nodes",
        "gpu",
        "gpus",
        "device",
        "cuda",
        "version",
        "v_num",
        "time",
        "elapsed",
        "eta",
        "data",
        "data_time",
        "samples",
        "size",
        "batch_size",
        "workers",
        "host",
        "line",
        "total",
        "total_flos",
        "train_runtime",
        "eval_runtime",
        "runtime",
        "id",
        "level",
        "hour",
    ]
    .contains(&name)
}

/// Whether a name says how much is done in a second.
pub(super) fn is_rate(name: &str) -> bool {
    name.ends_with("/s")
        || name.ends_with("/sec")
        || name.contains("per_sec")
        || name.contains("/s/")
        || name.contains("throughput")
        || matches!(name, "tps" | "wps" | "tgs")
}

/// Whether a value of this name is progress also on a line that tells neither step nor epoch.
pub(super) fn is_metric(name: &str) -> bool {
    const PARTS: [&str; 19] = [
        "loss",
        "acc",
        "perplexity",
        "ppl",
        "learning_rate",
        "grad_norm",
        "f1",
        "bleu",
        "rouge",
        "reward",
        "mse",
        "mae",
        "auc",
        "precision",
        "recall",
        "wer",
        "cer",
        "iou",
        "mfu",
    ];
    name == "lr"
        || PARTS
            .iter()
            .any(|part| name.split(['_', '/', '-', '.']).any(|word| word == *part))
        || name.contains("loss")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_found_in_any_writing() {
        for (line, want) in [
            ("loss=0.5 lr=1e-4", vec![("loss", 0.5), ("lr", 1e-4)]),
            (
                "Train Loss: 1.5, val_acc: 93.5%",
                vec![("train_loss", 1.5), ("val_acc", 93.5)],
            ),
            (
                "lm loss: 1.0E+01 | grad norm: 1.2 | learning rate: 1.0E-04",
                vec![("lm_loss", 10.0), ("grad_norm", 1.2), ("learning_rate", 1e-4)],
            ),
            (
                "Loss 6.9e+00 (6.9e+00)\tAcc@1   0.39 (  0.2)",
                vec![("loss", 6.9), ("acc@1", 0.39)],
            ),
            ("loss: tensor(0.5, device='cuda:0')", vec![("loss", 0.5)]),
            ("INFO step loss = np.float64(2.5)", vec![("loss", 2.5)]),
            ("time: 0:10:00 eta=20ms rank=3 Accuracy: 9906/10000", vec![]),
        ] {
            let found: Vec<(String, f64)> = pairs(line)
                .into_iter()
                .filter_map(|(name, value)| Some((plain_name(name)?, value)))
                .collect();
            let want: Vec<(String, f64)> = want.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            assert_eq!(found, want, "{line}");
        }
    }

    #[test]
    fn no_number_is_a_number_too() {
        let values: Vec<f64> = pairs("loss=nan a=inf b=-inf c: NaN, nano=5")
            .into_iter()
            .map(|(_, v)| v)
            .collect();
        assert!(
            values[0].is_nan() && values[3].is_nan() && values[1] == f64::INFINITY && values[2] == f64::NEG_INFINITY
        );
        assert_eq!(values[4..], [5.0]);
    }

    #[test]
    fn names_tell_what_they_are() {
        assert!(is_rate("tokens/s") && is_rate("tokens_per_second_per_gpu") && !is_rate("loss"));
        assert!(is_metric("train/loss") && is_metric("eval_acc") && !is_metric("account") && !is_metric("temperature"));
        assert_eq!(plain_name("INFO loss").as_deref(), Some("loss"));
        assert_eq!(plain_name("global_step"), None);
    }
}
