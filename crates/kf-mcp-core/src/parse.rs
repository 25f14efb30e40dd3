//! Arguments become a tool's type. What its schema cannot say is refused here, with the argument's name.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::{ErrorCode, ToolError};
use crate::redact;

/// Parses prepared arguments into a tool's type; what the schema cannot say (names, ranges) is told by the types.
pub(crate) fn of<T: DeserializeOwned>(arguments: Map<String, Value>) -> Result<T, ToolError> {
    let said = match T::deserialize(&arguments) {
        Ok(parsed) => return Ok(parsed),
        Err(error) => error.to_string(),
    };
    let asked = "read the arguments";
    let Some(field) = culprit::<T>(&arguments, &said) else {
        return Err(ToolError::new(ErrorCode::InvalidArgument, asked, said));
    };
    let why = if redact::is_secret_name(&field) {
        "is not of the form that is wanted".to_owned()
    } else {
        format!("cannot be taken: {}", in_words(&said))
    };
    let mut error = ToolError::new(ErrorCode::InvalidArgument, asked, format!("`{field}` {why}"));
    error.field = Some(field);
    Err(error)
}

/// The argument that an error of serde is about. serde does not say, least of all for parts of a type that are flattened
/// into it: it is the one without which the error is another.
fn culprit<T: DeserializeOwned>(arguments: &Map<String, Value>, said: &str) -> Option<String> {
    let told = |arguments: &Map<String, Value>| T::deserialize(arguments).err().map(|error| error.to_string());
    let alone = arguments.iter().find(|(name, value)| {
        let one = Map::from_iter([((*name).clone(), (*value).clone())]);
        told(&one).as_deref() == Some(said)
    });
    if let Some((name, _)) = alone {
        return Some(name.clone());
    }
    let mut rest = arguments.clone();
    for (name, value) in arguments {
        rest.remove(name);
        match told(&rest) {
            Some(same) if same == said => {}
            // A required argument that is missing is told before others that are wrong.
            Some(missing) if missing.starts_with("missing field") => {
                rest.insert(name.clone(), value.clone());
            }
            _ => return Some(name.clone()),
        }
    }
    None
}

/// What serde says, without the names of Rust's types.
fn in_words(said: &str) -> String {
    let types = [
        ("u8", "255"),
        ("u16", "65535"),
        ("u32", "4294967295"),
        ("u64", "18446744073709551615"),
        ("usize", "18446744073709551615"),
    ];
    for (name, most) in types {
        if let Some(head) = said.strip_suffix(&format!("expected {name}")) {
            return format!("{head}expected a whole number from 0 to {most}");
        }
    }
    said.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Debug, serde::Deserialize)]
    #[allow(dead_code, reason = "only parsed")]
    struct Flattened {
        name: crate::ObjectName,
        #[serde(flatten)]
        counts: Counts,
    }

    #[derive(Debug, serde::Deserialize)]
    #[allow(dead_code, reason = "only parsed")]
    struct Counts {
        nodes: Option<u32>,
        gpus: Option<u32>,
        hf_token: Option<crate::ObjectName>,
    }

    #[test]
    fn what_only_the_types_refuse_is_named_too() {
        for (given, field, part) in [
            (json!({"name": "a..b"}), "name", "is not an object name"),
            (
                json!({"name": "a", "nodes": -1}),
                "nodes",
                "expected a whole number from 0 to 4294967295",
            ),
            (
                json!({"name": "a", "gpus": 1, "nodes": 5_000_000_000_u64}),
                "nodes",
                "from 0 to 4294967295",
            ),
            (
                json!({"name": "a", "gpus": -1, "nodes": -1}),
                "nodes",
                "cannot be taken",
            ),
            (
                json!({"name": "a", "hf_token": "hunter 2"}),
                "hf_token",
                "is not of the form",
            ),
        ] {
            let error = of::<Flattened>(given.as_object().unwrap().clone()).unwrap_err();
            assert_eq!(error.field.as_deref(), Some(field), "{given}: {}", error.answered);
            assert!(error.answered.contains(part), "{given}: {}", error.answered);
            assert!(!error.answered.contains("hunter"), "{}", error.answered);
        }
    }
}
