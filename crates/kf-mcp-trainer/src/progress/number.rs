//! Numbers as trainings print them, and as answers write them.

/// A number in a pattern: plain, with an exponent, or one that is none.
pub(super) const NUMBER: &str =
    r"[-+]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|(?:nan|NaN|NAN|inf(?:inity)?|Inf(?:inity)?)\b)";

/// The number that a pattern found.
pub(super) fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// A count, which may have commas between its thousands.
pub(super) fn count(text: &str) -> Option<u64> {
    text.replace(',', "").parse().ok()
}

/// `1:02:03`, `02:03` or `45` as seconds.
pub(super) fn clock(text: &str) -> Option<u64> {
    let mut seconds = 0_u64;
    for part in text.split(':') {
        seconds = seconds.checked_mul(60)?.checked_add(part.parse().ok()?)?;
    }
    Some(seconds)
}

/// A number with five digits that count.
pub(crate) fn short(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".into() } else { value.to_string() };
    }
    if !(1e-3..1e7).contains(&size) {
        let text = format!("{value:.3e}");
        let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
        return format!("{}e{power}", trimmed(digits));
    }
    let before = size.log10().floor() as i32 + 1;
    let after = usize::try_from(5 - before.min(5)).unwrap_or(0);
    trimmed(&format!("{value:.after$}")).to_owned()
}

fn trimmed(digits: &str) -> &str {
    if digits.contains('.') {
        digits.trim_end_matches('0').trim_end_matches('.')
    } else {
        digits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_short() {
        for (value, text) in [
            (0.0, "0"),
            (0.81271, "0.81271"),
            (1.5, "1.5"),
            (2e-5, "2e-5"),
            (41_000.0, "41000"),
            (12_345.678, "12346"),
            (-2.61803, "-2.618"),
            (1.25e9, "1.25e9"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(short(value), text);
        }
    }

    #[test]
    fn clocks_are_seconds() {
        for (text, seconds) in [
            ("00:10", Some(10)),
            ("1:02:03", Some(3723)),
            ("7", Some(7)),
            ("?", None),
        ] {
            assert_eq!(clock(text), seconds, "{text}");
        }
        assert_eq!(clock(&"9999999999999999:".repeat(9)), None);
    }
}
