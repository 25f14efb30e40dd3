//! How long ago, in the few characters that tables have for it.

use jiff::Timestamp;
use serde_json::{Value, json};

/// The age of an object.
pub(super) fn of(object: &Value, now: Timestamp) -> Value {
    json!(since(&object["metadata"]["creationTimestamp"], now))
}

/// The time since a moment; `<unknown>` when there is none.
pub(super) fn since(moment: &Value, now: Timestamp) -> String {
    match moment.as_str().and_then(|text| text.parse().ok()) {
        Some(moment) => between(moment, now),
        None => "<unknown>".to_owned(),
    }
}

/// The time between two moments with two or three digits that matter.
pub(super) fn between(from: Timestamp, to: Timestamp) -> String {
    let seconds = to.duration_since(from).as_secs();
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let (days, years) = (hours / 24, hours / (24 * 365));
    match (seconds, minutes, hours) {
        (..=-2, ..) => "<invalid>".to_owned(),
        (-1, ..) => "0s".to_owned(),
        (..120, ..) => format!("{seconds}s"),
        (_, ..10, _) => two(minutes, "m", seconds % 60, "s"),
        (_, ..180, _) => format!("{minutes}m"),
        (_, _, ..8) => two(hours, "h", minutes % 60, "m"),
        (_, _, ..48) => format!("{hours}h"),
        (_, _, ..192) => two(days, "d", hours % 24, "h"),
        (_, _, ..17_520) => format!("{days}d"),
        (_, _, ..70_080) => two(years, "y", days % 365, "d"),
        _ => format!("{years}y"),
    }
}

fn two(many: i64, unit: &str, few: i64, smaller: &str) -> String {
    if few == 0 {
        format!("{many}{unit}")
    } else {
        format!("{many}{unit}{few}{smaller}")
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn ages_keep_two_or_three_digits() {
        let (minute, hour, day) = (60, 3600, 86_400);
        for (seconds, text) in [
            (-2, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (121, "2m1s"),
            (10 * minute, "10m"),
            (179 * minute + 59, "179m"),
            (3 * hour, "3h"),
            (3 * hour + 61, "3h1m"),
            (8 * hour, "8h"),
            (47 * hour + 3599, "47h"),
            (2 * day, "2d"),
            (2 * day + hour, "2d1h"),
            (8 * day + hour, "8d"),
            (729 * day, "729d"),
            (730 * day, "2y"),
            (731 * day, "2y1d"),
            (8 * 365 * day + day, "8y"),
        ] {
            let now = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds);
            assert_eq!(between(Timestamp::UNIX_EPOCH, now), text, "{seconds}");
        }
        assert_eq!(since(&Value::Null, Timestamp::UNIX_EPOCH), "<unknown>");
    }
}
