//! The points of one metric.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::Serialize;

use super::sparkline;

/// What the points of a metric are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Along {
    Step,
    Epoch,
    /// As they were printed, one after another.
    Order,
}

impl Along {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Epoch => "epoch",
            Self::Order => "order",
        }
    }
}

/// A metric as it is told: the last points, and what there was over all that was read.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// The last finite value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) latest: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max: Option<f64>,
    /// What `x` counts.
    pub(crate) by: Along,
    pub(crate) x: Vec<f64>,
    pub(crate) y: Vec<f64>,
    /// The points as a line of text.
    pub(crate) trend: String,
    /// How often it was NaN or infinite.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) not_finite: usize,
    /// Whether it was at last.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) not_finite_now: bool,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Point {
    step: Option<f64>,
    epoch: Option<f64>,
    value: f64,
}

/// A metric while the log is read.
#[derive(Debug)]
pub(super) struct Growing {
    pub(super) name: String,
    points: VecDeque<Point>,
    seen: usize,
    min: f64,
    max: f64,
    not_finite: usize,
    not_finite_now: bool,
}

impl Growing {
    pub(super) fn new(name: String) -> Self {
        Self {
            name,
            points: VecDeque::new(),
            seen: 0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            not_finite: 0,
            not_finite_now: false,
        }
    }

    /// Adds a value and keeps the last `most`. What a bar says again of the same step replaces what it said.
    pub(super) fn push(&mut self, step: Option<f64>, epoch: Option<f64>, value: f64, most: usize) {
        self.not_finite_now = !value.is_finite();
        if self.not_finite_now {
            self.not_finite += 1;
            return;
        }
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        let point = Point { step, epoch, value };
        match self.points.back_mut() {
            Some(last) if step.is_some() && (last.step, last.epoch) == (step, epoch) => *last = point,
            _ => {
                self.points.push_back(point);
                self.seen += 1;
            }
        }
        while self.points.len() > most {
            self.points.pop_front();
        }
    }

    pub(super) fn told(self) -> Series {
        let along = |of: fn(&Point) -> Option<f64>| {
            let x: Option<Vec<f64>> = self.points.iter().map(of).collect();
            x.filter(|x| x.windows(2).all(|two| two[0] <= two[1]))
        };
        let first = self.seen - self.points.len();
        let (by, x) = match (along(|point| point.step), along(|point| point.epoch)) {
            (Some(steps), _) => (Along::Step, steps),
            (None, Some(epochs)) => (Along::Epoch, epochs),
            (None, None) => (Along::Order, (first + 1..=self.seen).map(|at| at as f64).collect()),
        };
        let y: Vec<f64> = self.points.iter().map(|point| point.value).collect();
        Series {
            latest: y.last().copied(),
            min: self.min.is_finite().then_some(self.min),
            max: self.max.is_finite().then_some(self.max),
            trend: sparkline(&y),
            by,
            x,
            y,
            not_finite: self.not_finite,
            not_finite_now: self.not_finite_now,
            name: self.name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(points: &[(Option<f64>, Option<f64>, f64)], most: usize) -> Series {
        let mut growing = Growing::new("loss".into());
        for (step, epoch, value) in points {
            growing.push(*step, *epoch, *value, most);
        }
        growing.told()
    }

    #[test]
    fn the_last_points_are_kept_and_the_extremes_of_all() {
        let points: Vec<_> = (0..10)
            .map(|n| (Some(f64::from(n)), None, 10.0 - f64::from(n)))
            .collect();
        let series = told(&points, 3);
        assert_eq!(
            (series.by, series.x, series.y),
            (Along::Step, vec![7.0, 8.0, 9.0], vec![3.0, 2.0, 1.0])
        );
        assert_eq!(
            (series.min, series.max, series.latest),
            (Some(1.0), Some(10.0), Some(1.0))
        );
    }

    #[test]
    fn points_are_counted_by_what_never_falls() {
        let by = |points: &[(Option<f64>, Option<f64>, f64)]| told(points, 9).by;
        assert_eq!(by(&[(Some(1.0), None, 1.0), (Some(2.0), None, 1.0)]), Along::Step);
        assert_eq!(
            by(&[(Some(2.0), Some(0.0), 1.0), (Some(1.0), Some(1.0), 1.0)]),
            Along::Epoch
        );
        let order = told(&[(Some(2.0), None, 1.0), (Some(1.0), None, 1.0)], 9);
        assert_eq!((order.by, order.x), (Along::Order, vec![1.0, 2.0]));
    }

    #[test]
    fn what_is_no_number_is_counted_and_not_drawn() {
        let series = told(
            &[
                (Some(1.0), None, 1.0),
                (Some(2.0), None, f64::NAN),
                (Some(3.0), None, f64::INFINITY),
            ],
            9,
        );
        assert_eq!(
            (series.y, series.not_finite, series.not_finite_now),
            (vec![1.0], 2, true)
        );
        let never = told(&[(None, None, f64::NAN)], 9);
        assert_eq!((never.latest, never.min, never.trend.as_str()), (None, None, ""));
    }

    #[test]
    fn a_redrawn_step_is_one_point() {
        let series = told(&[(Some(1.0), Some(0.0), 3.0), (Some(1.0), Some(0.0), 2.0)], 9);
        assert_eq!(series.y, [2.0]);
    }
}
