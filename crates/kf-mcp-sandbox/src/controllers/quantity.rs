//! Kubernetes quantities: exact amounts, and the form in which they are stored.

use std::collections::BTreeMap;

use serde_json::Value;

/// Nothing smaller than a billionth of a unit is told apart.
const NANO: i128 = 1_000_000_000;
const DECIMAL: [(&str, i32); 10] = [
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/// How an amount was written, and so how it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Decimal,
    Binary,
    Exponent,
}

/// An amount in billionths, rounded up; `None` when it is not one.
fn parse(text: &str) -> Option<(i128, Format)> {
    let text = text.trim();
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+')))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (negative, digits) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.len() + fraction.len() == 0 || whole.len() > 18 || fraction.len() > 12 {
        return None;
    }
    let mantissa: i128 = format!("{whole}{fraction}").parse().ok()?;
    // The amount is mantissa * scale / 10^fraction, and so exact until the last division.
    let (scale, format) = if let Some(power) = BINARY.iter().skip(1).position(|name| *name == unit) {
        (NANO << (10 * (power + 1)), Format::Binary)
    } else if let Some((_, power)) = DECIMAL.iter().find(|(name, _)| *name == unit) {
        (ten(power + 9)?, Format::Decimal)
    } else {
        let power: i32 = unit.strip_prefix(['e', 'E'])?.parse().ok()?;
        (ten(power.checked_add(9)?)?, Format::Exponent)
    };
    let below = ten(i32::try_from(fraction.len()).ok()?)?;
    let scaled = mantissa.checked_mul(scale)?;
    let amount = scaled / below + i128::from(scaled % below != 0);
    Some((if negative { -amount } else { amount }, format))
}

fn ten(power: i32) -> Option<i128> {
    10_i128.checked_pow(u32::try_from(power).ok()?)
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}

/// A quantity in thousandths of its unit, rounded up, so that `500m` is exact; `None` when it is not one.
pub fn milli(value: &Value) -> Option<i128> {
    let (amount, _) = parse(&word(value)?)?;
    Some(amount.div_euclid(NANO / 1000) + i128::from(amount.rem_euclid(NANO / 1000) != 0))
}

/// The text form the API server stores: the largest unit that leaves a whole number. What is no quantity is kept.
pub fn canonical(value: &Value) -> Value {
    match word(value).as_deref().and_then(parse) {
        Some((amount, format)) => Value::String(written(amount, format)),
        None => value.clone(),
    }
}

fn written(amount: i128, format: Format) -> String {
    if amount == 0 {
        return "0".to_owned();
    }
    if format == Format::Binary && amount.abs() >= 1024 * NANO && amount % NANO == 0 {
        let mut rest = amount / NANO;
        let mut unit = 0;
        while rest % 1024 == 0 && unit + 1 < BINARY.len() {
            rest /= 1024;
            unit += 1;
        }
        return format!("{rest}{}", BINARY[unit]);
    }
    let mut rest = amount;
    let mut power = -9;
    while rest % 1000 == 0 && power < 18 {
        rest /= 1000;
        power += 3;
    }
    if format == Format::Exponent {
        return if power == 0 {
            rest.to_string()
        } else {
            format!("{rest}e{power}")
        };
    }
    let unit = DECIMAL.iter().find(|(_, p)| *p == power).map_or("", |(name, _)| name);
    format!("{rest}{unit}")
}

/// An amount of a resource, given in thousandths, as a sum is stored: sizes in binary units.
pub fn summed(resource: &str, milli: i128) -> String {
    let sized = ["memory", "storage"].iter().any(|size| resource.contains(size)) || resource.starts_with("hugepages");
    let format = if sized { Format::Binary } else { Format::Decimal };
    written(milli.saturating_mul(NANO / 1000), format)
}

/// What a pod asks for: per resource the sum over its containers of requests, or of limits where requests are missing.
pub fn requests(pod: &Value) -> BTreeMap<String, i128> {
    let mut total = BTreeMap::new();
    for container in pod["spec"]["containers"].as_array().into_iter().flatten() {
        for (name, amount) in effective(&container["resources"]) {
            *total.entry(name).or_insert(0) += amount;
        }
    }
    // Init containers run one after the other, before the others: the largest counts.
    for container in pod["spec"]["initContainers"].as_array().into_iter().flatten() {
        for (name, amount) in effective(&container["resources"]) {
            let sum = total.entry(name).or_insert(0);
            *sum = (*sum).max(amount);
        }
    }
    total
}

/// Requests of one container, defaulted from its limits.
pub fn effective(resources: &Value) -> BTreeMap<String, i128> {
    let mut out = BTreeMap::new();
    for part in ["limits", "requests"] {
        for (name, value) in resources[part].as_object().into_iter().flatten() {
            if let Some(amount) = milli(value) {
                out.insert(name.clone(), amount);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_are_stored_as_the_api_server_stores_them() {
        for (given, stored) in [
            (json!(1), "1"),
            (json!("1000"), "1k"),
            (json!("1500"), "1500"),
            (json!("1.5"), "1500m"),
            (json!("0.5Gi"), "512Mi"),
            (json!("1024Mi"), "1Gi"),
            (json!("1.5Gi"), "1536Mi"),
            (json!("512"), "512"),
            (json!("0.0001"), "100u"),
            (json!("1Ki"), "1Ki"),
            (json!("0.1Ki"), "102400m"),
            (json!("1e3"), "1e3"),
            (json!("0"), "0"),
            (json!("-2k"), "-2k"),
            (json!("20G"), "20G"),
            (json!("much"), "much"),
        ] {
            assert_eq!(canonical(&given), stored, "{given}");
        }
    }

    #[test]
    fn amounts_are_thousandths() {
        assert_eq!(milli(&json!("500m")), Some(500));
        assert_eq!(milli(&json!(2)), Some(2000));
        assert_eq!(milli(&json!("1Ki")), Some(1_024_000));
        assert_eq!(milli(&json!("x")), None);
        for outlandish in ["1e2147483647", "1e-2147483648", "999999999999999999Ei"] {
            assert_eq!(milli(&json!(outlandish)), None, "{outlandish}");
        }
        let most = milli(&json!("100000000000Ei")).unwrap();
        assert!(!summed("memory", most + most).is_empty());
    }
}
