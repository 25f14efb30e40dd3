//! Values that may be written in more than one way.

use serde::{Deserialize, Deserializer, Serialize};

/// A list in the file, or a text with commas anywhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Names(pub(crate) Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Text(String),
            List(Vec<String>),
        }
        let parts = match Either::deserialize(from)? {
            Either::Text(text) => text.split(',').map(str::to_owned).collect(),
            Either::List(list) => list,
        };
        Ok(Self(
            parts
                .iter()
                .map(|part| part.trim())
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect(),
        ))
    }
}

/// `sandbox: true` is the default scenario, `false` is none.
pub(super) fn text_or_switch<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Switch(bool),
        Text(String),
    }
    Ok(match Either::deserialize(from)? {
        Either::Switch(true) => "showcase".into(),
        Either::Switch(false) => String::new(),
        Either::Text(text) => match text.as_str() {
            "true" | "1" => "showcase".into(),
            "false" | "0" => String::new(),
            _ => text,
        },
    })
}
