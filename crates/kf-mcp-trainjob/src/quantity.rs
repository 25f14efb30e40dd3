//! Kubernetes quantities: `16Gi`, `500m`, `1e3`.

/// Whether a text is a quantity that a pod may ask for: not negative.
pub fn is_quantity(text: &str) -> bool {
    value(text).is_some_and(|value| value >= 0.0)
}

/// Whether two quantities are the same amount: `1` and `1000m`, `1Gi` and `1024Mi`.
pub fn same_quantity(one: &str, other: &str) -> bool {
    match (value(one), value(other)) {
        (Some(one), Some(other)) => (one - other).abs() <= 1e-9 * one.abs().max(other.abs()),
        _ => one == other,
    }
}

/// A quantity that counts whole things (devices), none when it does not.
pub fn count(text: &str) -> Option<u64> {
    let value = value(text)?;
    (value >= 0.0 && value.fract() == 0.0 && value < 9e15).then_some(value as u64)
}

/// How much a quantity is, as bytes are counted.
pub(crate) fn bytes(text: &str) -> Option<f64> {
    value(text)
}

fn value(text: &str) -> Option<f64> {
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-')))
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    // `f64` takes `inf`, signs in the middle and so on; the digits before the suffix are all that may be there.
    let digits = number.trim_start_matches(['+', '-']);
    if number.len() - digits.len() > 1 || digits.contains(['+', '-']) || !digits.bytes().any(|c| c.is_ascii_digit()) {
        return None;
    }
    let number: f64 = number.parse().ok()?;
    let factor = match suffix {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024f64,
        "Mi" => 1024f64.powi(2),
        "Gi" => 1024f64.powi(3),
        "Ti" => 1024f64.powi(4),
        "Pi" => 1024f64.powi(5),
        "Ei" => 1024f64.powi(6),
        exponent => {
            let power: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            (power.abs() <= 18).then(|| 10f64.powi(power))?
        }
    };
    Some(number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_told_from_other_words() {
        for good in ["0", "1", "500m", "16Gi", "1.5", ".5", "2e3", "+1", "10k"] {
            assert!(is_quantity(good), "{good}");
        }
        for bad in [
            "", "Gi", "16 Gi", "16GB", "one", "-1", "1.2.3", "1-2", "inf", "NaN", "1e99", "0x10",
        ] {
            assert!(!is_quantity(bad), "{bad}");
        }
    }

    #[test]
    fn the_same_amount_may_be_written_in_different_ways() {
        for (one, other) in [("1", "1000m"), ("1Gi", "1024Mi"), ("1.0", "1"), ("2k", "2000")] {
            assert!(same_quantity(one, other), "{one} {other}");
        }
        assert!(!same_quantity("1G", "1Gi"));
        assert_eq!((count("8"), count("0.5"), count("x")), (Some(8), None, None));
    }
}
