//! Configuration: flag over environment over file over default, with every unknown key told.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use figment::providers::Serialized;
use figment::value::{Dict, Map, Value as FigmentValue};
use figment::{Figment, Metadata, Profile, Provider};
use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;

use crate::module::Setting;
use crate::names::nearest;

/// Prefix of all environment variables.
pub const PREFIX: &str = "KUBEFLOW_MCP_";

/// Why the configuration cannot be used. All of them end the process with exit code 2.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read or is no YAML.
    #[error("configuration file {}: {why}", .file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A key that nothing reads.
    #[error("configuration file {}: unknown key `{key}`{hint} (keys: {known})", .file.display())]
    UnknownKey {
        /// The file.
        file: PathBuf,
        /// The key.
        key: String,
        /// The nearest spelling.
        hint: String,
        /// All keys.
        known: String,
    },
    /// A value of the wrong kind.
    #[error("configuration: {0}")]
    Value(String),
}

/// Everything that was configured.
#[derive(Debug, Clone)]
pub struct Config {
    figment: Figment,
    /// Environment variables with our prefix that nothing reads; worth a warning.
    pub unknown_variables: Vec<String>,
}

/// Where configuration comes from.
#[derive(Debug, Default)]
pub struct Sources<'a> {
    /// All keys that somebody reads.
    pub known: &'a [Setting],
    /// The file, if one was named.
    pub file: Option<&'a Path>,
    /// Environment variables, as name and value.
    pub variables: Vec<(String, String)>,
    /// What the command line said, as key and value.
    pub flags: BTreeMap<String, Value>,
}

impl Config {
    /// Reads all sources. Flags win over variables, variables over the file.
    pub fn load(sources: Sources<'_>) -> Result<Self, ConfigError> {
        let mut figment = Figment::new();
        if let Some(file) = sources.file {
            figment = figment.merge(yaml(file, sources.known)?);
        }
        let mut unknown_variables = Vec::new();
        let by_variable: BTreeMap<String, &Setting> = sources.known.iter().map(|s| (s.variable(), s)).collect();
        let mut from_environment = Pairs::new("environment");
        for (name, value) in sources
            .variables
            .into_iter()
            .filter(|(name, _)| name.starts_with(PREFIX))
        {
            match by_variable.get(&name) {
                Some(setting) => from_environment.set(setting.key, Value::String(value)),
                None => unknown_variables.push(name),
            }
        }
        let mut from_flags = Pairs::new("command line");
        for (key, value) in sources.flags {
            from_flags.set(&key, value);
        }
        figment = figment.merge(from_environment).merge(from_flags);
        Ok(Self {
            figment,
            unknown_variables,
        })
    }

    /// The configuration as a type; `defaults` fills what nobody set.
    pub fn extract<T: DeserializeOwned + serde::Serialize>(&self, defaults: T) -> Result<T, ConfigError> {
        let figment = Figment::from(Serialized::defaults(defaults)).merge(self.figment.clone());
        figment
            .extract_lossy()
            .map_err(|error| ConfigError::Value(told(&error)))
    }

    /// All that was set, as JSON: what modules read their sections from.
    pub fn sections(&self) -> Result<serde_json::Map<String, Value>, ConfigError> {
        self.figment.extract().map_err(|error| ConfigError::Value(told(&error)))
    }
}

/// The first error of several, with the place of the value.
fn told(error: &figment::Error) -> String {
    let place = error
        .metadata
        .as_ref()
        .map(|m| format!(" (from the {})", m.name))
        .unwrap_or_default();
    let key = if error.path.is_empty() {
        String::new()
    } else {
        format!("`{}`: ", error.path.join("."))
    };
    format!("{key}{}{place}", error.kind)
}

fn yaml(file: &Path, known: &[Setting]) -> Result<Pairs, ConfigError> {
    let unusable = |why: String| ConfigError::File {
        file: file.to_owned(),
        why,
    };
    let text = std::fs::read_to_string(file).map_err(|error| unusable(error.to_string()))?;
    let mut pairs = Pairs::new(format!("file {}", file.display()));
    if text
        .lines()
        .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
    {
        return Ok(pairs);
    }
    let value: Value = serde_saphyr::from_str(&text).map_err(|error| unusable(error.to_string()))?;
    let Value::Object(top) = value else {
        return Err(unusable("is not a map of keys".into()));
    };
    for (key, value) in flatten("", top) {
        if !known.iter().any(|setting| setting.key == key) {
            let hint = nearest(&key, known.iter().map(|s| s.key)).map(|near| format!(", did you mean `{near}`?"));
            return Err(ConfigError::UnknownKey {
                file: file.to_owned(),
                hint: hint.unwrap_or_default(),
                known: known.iter().map(|s| s.key).collect::<Vec<_>>().join(", "),
                key,
            });
        }
        pairs.set(&key, value);
    }
    Ok(pairs)
}

/// Nested maps as dotted keys.
fn flatten(prefix: &str, map: serde_json::Map<String, Value>) -> Vec<(String, Value)> {
    let mut flat = Vec::new();
    for (key, value) in map {
        let key = if prefix.is_empty() {
            key
        } else {
            format!("{prefix}.{key}")
        };
        match value {
            Value::Object(inner) => flat.extend(flatten(&key, inner)),
            Value::Null => {}
            value => flat.push((key, value)),
        }
    }
    flat
}

/// A figment provider of dotted keys.
struct Pairs {
    name: String,
    dict: Dict,
}

impl Pairs {
    fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            dict: Dict::new(),
        }
    }

    fn set(&mut self, key: &str, value: Value) {
        let Ok(value) = FigmentValue::serialize(value) else {
            return;
        };
        let nested = key
            .rsplit('.')
            .fold(value, |inner, part| Dict::from([(part.to_owned(), inner)]).into());
        if let Some(dict) = nested.into_dict() {
            merge(&mut self.dict, dict);
        }
    }
}

fn merge(into: &mut Dict, from: Dict) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(FigmentValue::Dict(_, old)), FigmentValue::Dict(_, new)) => merge(old, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

impl Provider for Pairs {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.dict.clone())]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    const KNOWN: &[Setting] = &[
        Setting::new("persona", ""),
        Setting::new("port", ""),
        Setting::new("hub.url", ""),
        Setting::new("host", ""),
    ];

    #[derive(Debug, Serialize, Deserialize, PartialEq)]
    struct Settings {
        persona: String,
        port: u16,
        host: String,
    }

    fn defaults() -> Settings {
        Settings {
            persona: "readonly".into(),
            port: 8000,
            host: "127.0.0.1".into(),
        }
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn flags_win_over_variables_over_the_file() {
        let file = file("persona: ml-engineer\nport: 1\nhost: ::1\n");
        let config = Config::load(Sources {
            known: KNOWN,
            file: Some(file.path()),
            variables: vec![
                ("KUBEFLOW_MCP_PORT".into(), "2".into()),
                ("KUBEFLOW_MCP_PERSONA".into(), "readonly".into()),
                ("KUBEFLOW_MCP_HUB_URL".into(), "http://x".into()),
                ("KUBEFLOW_MCP_NOPE".into(), "1".into()),
                ("OTHER".into(), "1".into()),
            ],
            flags: BTreeMap::from([("persona".into(), json!("platform-admin"))]),
        })
        .unwrap();
        let settings = config.extract(defaults()).unwrap();
        assert_eq!(
            settings,
            Settings {
                persona: "platform-admin".into(),
                port: 2,
                host: "::1".into()
            }
        );
        assert_eq!(config.sections().unwrap()["hub"], json!({"url": "http://x"}));
        assert_eq!(config.unknown_variables, ["KUBEFLOW_MCP_NOPE"]);
    }

    #[test]
    fn an_unknown_key_of_the_file_is_told_with_the_nearest() {
        let file = file("personna: readonly\n");
        let error = Config::load(Sources {
            known: KNOWN,
            file: Some(file.path()),
            ..Sources::default()
        })
        .unwrap_err();
        let said = error.to_string().replace(&file.path().display().to_string(), "FILE");
        assert_eq!(
            said,
            "configuration file FILE: unknown key `personna`, did you mean `persona`? (keys: persona, port, hub.url, host)"
        );
    }

    #[test]
    fn a_value_of_the_wrong_kind_names_its_key_and_place() {
        let flags = BTreeMap::from([("port".into(), json!("many"))]);
        let config = Config::load(Sources {
            known: KNOWN,
            flags,
            ..Sources::default()
        })
        .unwrap();
        let said = config.extract(defaults()).unwrap_err().to_string();
        assert!(said.contains("`port`") && said.contains("command line"), "{said}");
    }
}
