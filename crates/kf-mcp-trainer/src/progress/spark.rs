//! A curve as a word: `▇▅▃▂▁`.

const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// How wide it is at most.
const WIDTH: usize = 40;

/// The curve of finite values, from the lowest to the highest; empty when there are none. More values than it is wide are
/// put together.
pub(crate) fn sparkline(values: &[f64]) -> String {
    let width = values.len().min(WIDTH);
    let means: Vec<f64> = (0..width)
        .map(|at| {
            let part = &values[at * values.len() / width..(at + 1) * values.len() / width];
            // Halved before they are added: the largest numbers stay numbers.
            part.iter().map(|value| value / part.len() as f64).sum()
        })
        .collect();
    let low = means.iter().copied().fold(f64::INFINITY, f64::min);
    let high = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let level = |value: &f64| {
        let part = (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0);
        let at = if part.is_finite() { (part * 7.0).round() } else { 3.0 };
        LEVELS[(at as usize).min(7)]
    };
    means.iter().map(level).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_go_from_lowest_to_highest() {
        assert_eq!(sparkline(&[8.0, 4.0, 2.0, 1.0]), "█▄▂▁");
        assert_eq!(sparkline(&[1.0, 1.0]), "▄▄");
        assert_eq!(sparkline(&[]), "");
        assert_eq!(sparkline(&[-f64::MAX, 0.0, f64::MAX]), "▁▅█");
        let long: Vec<f64> = (0..200).map(f64::from).collect();
        let line = sparkline(&long);
        assert!(
            line.chars().count() == WIDTH && line.starts_with('▁') && line.ends_with('█'),
            "{line}"
        );
    }
}
