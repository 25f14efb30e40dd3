//! Kubernetes quantities, as far as the scheduler and the plugins look at them.

use std::collections::BTreeMap;

use serde_json::Value;

/// A quantity in thousandths of its unit (so that `500m` is exact); `None` when it is not one.
pub fn milli(value: &Value) -> Option<i128> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    let text = text.trim();
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+')))
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let number: f64 = digits.parse().ok()?;
    let factor = match unit {
        "" => 1.0,
        "m" => 0.001,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        "Ti" => 1024.0_f64.powi(4),
        "Pi" => 1024.0_f64.powi(5),
        _ => return None,
    };
    // Quantities of a cluster are far below 2^100; the cast saturates on nonsense.
    Some((number * factor * 1000.0).round() as i128)
}

/// The text form the API server stores for a quantity given as a number.
pub fn canonical(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::String(number.to_string()),
        other => other.clone(),
    }
}

/// What a pod asks for: per resource the sum over its containers of requests, or of limits where requests are missing.
pub fn requests(pod: &Value) -> BTreeMap<String, i128> {
    let mut total = BTreeMap::new();
    for container in pod["spec"]["containers"].as_array().into_iter().flatten() {
        for (name, amount) in effective(&container["resources"]) {
            *total.entry(name).or_insert(0) += amount;
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
