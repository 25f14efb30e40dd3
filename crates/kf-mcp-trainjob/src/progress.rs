//! What a training tells about itself, in its job's status.

use jiff::Timestamp;
use serde::Deserialize;

use crate::lenient;

/// What the training tells about itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Progress {
    /// 0 to 100.
    pub progress_percentage: Option<i64>,
    /// How long it thinks it still needs.
    pub estimated_remaining_seconds: Option<i64>,
    /// Named values.
    #[serde(deserialize_with = "lenient::null")]
    pub metrics: Vec<ProgressMetric>,
    /// When it told so.
    #[serde(deserialize_with = "lenient::time")]
    pub last_updated_time: Option<Timestamp>,
}

/// One value that the training tells.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ProgressMetric {
    /// Its name.
    pub name: String,
    /// Its value, as text.
    pub value: String,
}
