//! What the operator configures of these tools.

use kf_mcp_core::backend::Address;
use kf_mcp_core::{Cx, ErrorCode, Setting, ToolError};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

const CLEAR_TEXT: &str = "allow_clear_text_secrets";
const HUB_LOOKUP: &str = "trainer.hub_lookup";
const HUB_URL: &str = "trainer.hub_url";
/// Where the Hub is, unless the operator has a mirror.
const HUB: &str = "https://huggingface.co";
const PROMETHEUS: &str = "trainer.prometheus_url";
const MAX_WAIT: &str = "trainer.max_wait_seconds";

/// The configuration keys that the tools read.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting::new(
        CLEAR_TEXT,
        "let tools take tokens in clear text, which end up in the job for all who may read it (default false)",
    ),
    Setting::new(
        HUB_LOOKUP,
        "ask the Hugging Face Hub about models that estimate_resources does not know (default false)",
    ),
    Setting::new(HUB_URL, "where that Hub is (default https://huggingface.co)"),
    Setting::new(
        PROMETHEUS,
        "base URL of a Prometheus that scrapes NVIDIA's DCGM exporter: GPU use in get_training_progress",
    ),
    Setting::new(
        MAX_WAIT,
        "the longest that one call of wait_for_training waits, from 1 to 600 (default 600)",
    ),
    Setting::new(
        "trainer.script_warn",
        "modules and functions that a script is warned of, like subprocess, os.system, eval; no security boundary",
    ),
    Setting::new(
        "trainer.script_deny",
        "modules and functions with which a script is refused; no security boundary",
    ),
];

/// A switch, also as the text that the environment has.
#[derive(Debug, Default, PartialEq, Eq)]
struct Switch(bool);

impl<'de> Deserialize<'de> for Switch {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Switch(bool),
            Text(String),
        }
        match Either::deserialize(from)? {
            Either::Switch(on) => Ok(Self(on)),
            Either::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Ok(Self(true)),
                "false" | "0" | "no" | "off" | "" => Ok(Self(false)),
                _ => Err(serde::de::Error::custom("must be true or false")),
            },
        }
    }
}

/// Whether the operator lets tools take tokens in clear text.
pub(crate) fn clear_text_allowed(cx: &Cx) -> Result<bool, ToolError> {
    cx.settings::<Switch>(CLEAR_TEXT).map(|Switch(on)| on)
}

/// What the section `trainer` says of the Hub.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Hub {
    hub_lookup: Switch,
    hub_url: String,
}

/// Whether the operator lets the server ask the Hugging Face Hub.
pub(crate) fn hub_lookup(cx: &Cx) -> Result<bool, ToolError> {
    cx.settings::<Hub>("trainer").map(|hub| hub.hub_lookup.0)
}

/// Whether the tools that may ask the Hub do so, by all sections of the configuration. What cannot be read is refused when
/// a call needs it.
pub(crate) fn opens(sections: &Map<String, Value>) -> bool {
    let hub = sections.get("trainer").map(Hub::deserialize);
    hub.is_some_and(|hub| hub.is_ok_and(|hub| hub.hub_lookup.0))
}

/// Where the Hub is, without a slash at the end.
pub(crate) fn hub_url(cx: &Cx) -> Result<String, ToolError> {
    let Hub { hub_url, .. } = cx.settings("trainer")?;
    let written = if hub_url.trim().is_empty() { HUB } else { &hub_url };
    let Some(Address::Url(url)) = Address::of_url(written) else {
        let asked = format!("read the configuration `{HUB_URL}`");
        let why = "it is no http or https URL without credentials and query";
        return Err(ToolError::new(ErrorCode::Internal, asked, why)
            .fix("correct the configuration file or the environment and restart the server"));
    };
    Ok(url)
}

/// Seconds, also as the text that the environment has.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Waits {
    max_wait_seconds: Option<Number>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Number {
    Number(u64),
    Text(String),
}

/// The longest that one call may wait, at most `most`.
pub(crate) fn max_wait(cx: &Cx, most: u64) -> Result<u64, ToolError> {
    let Waits { max_wait_seconds } = cx.settings("trainer")?;
    let seconds = match max_wait_seconds {
        None => return Ok(most),
        Some(Number::Number(seconds)) => Some(seconds),
        Some(Number::Text(text)) => text.trim().parse().ok(),
    };
    let seconds = seconds.filter(|seconds| *seconds > 0).map(|seconds| seconds.min(most));
    seconds.ok_or_else(|| {
        let asked = format!("read the configuration `{MAX_WAIT}`");
        ToolError::new(
            ErrorCode::Internal,
            asked,
            format!("it is no whole number from 1 to {most}"),
        )
        .fix("correct the configuration file or the environment and restart the server")
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metrics {
    prometheus_url: String,
}

/// The Prometheus that the operator named, none when there is none; what is wrong with it in words.
pub(crate) fn prometheus(cx: &Cx) -> Result<Option<Address>, String> {
    let metrics: Metrics = cx.settings("trainer").map_err(|error| error.answered)?;
    if metrics.prometheus_url.trim().is_empty() {
        return Ok(None);
    }
    let wrong = || format!("the configured {PROMETHEUS} is no http or https URL without credentials and query");
    Address::of_url(&metrics.prometheus_url).map(Some).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_switch_is_read_as_it_is_written() {
        let read = |value: serde_json::Value| serde_json::from_value::<Switch>(value).ok().map(|switch| switch.0);
        assert_eq!(read(json!(true)), Some(true));
        assert_eq!(read(json!("True")), Some(true));
        assert_eq!(read(json!("0")), Some(false));
        assert_eq!(read(json!("maybe")), None);
    }

    #[test]
    fn the_world_is_open_where_the_hub_is_asked() {
        let open = |settings: Value| settings.as_object().is_some_and(opens);
        assert!(open(json!({"trainer": {"hub_lookup": true}})));
        assert!(open(json!({"trainer": {"hub_lookup": "on"}})));
        for closed in [
            json!({}),
            json!({"trainer": {"hub_lookup": false}}),
            json!({"trainer": {"hub_lookup": []}}),
        ] {
            assert!(!open(closed));
        }
    }
}
