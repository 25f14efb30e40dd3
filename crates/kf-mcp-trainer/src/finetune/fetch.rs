//! [`FetchOptions`]: how the model and the dataset are fetched before the training, and with which rights.

use kf_mcp_core::names::is_subdomain;
use kf_mcp_trainjob::Runtime;
use kf_mcp_trainjob::torchtune::{DATASET_STEP, MODEL_STEP, Source};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::secret::Secret;
use crate::submit::Problems;

/// Weights in formats that torchtune does not read, as the SDK leaves them out.
const UNUSED: &str = "*.msgpack,*.h5,*.bin,*.pt,*.pth";
/// How to keep a secret out of a job.
const BY_REFERENCE: &str = "put it into a Secret of the namespace and name that: hf_secret (key ACCESS_TOKEN) or \
                            s3_secret (keys ACCESS_KEY_ID, SECRET_ACCESS_KEY)";

/// How the model and the dataset are fetched.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub(crate) struct FetchOptions {
    /// Secret's name.
    pub(crate) hf_secret: Option<String>,
    /// Secret's name.
    pub(crate) s3_secret: Option<String>,
    /// Use hf_secret.
    pub(crate) hf_token: Option<Secret>,
    /// Globs.
    pub(crate) model_ignore_patterns: Option<Vec<String>>,
    /// Globs.
    pub(crate) dataset_ignore_patterns: Option<Vec<String>>,
    /// URL.
    pub(crate) s3_endpoint: Option<String>,
    /// Id.
    pub(crate) s3_access_key_id: Option<String>,
    /// Use s3_secret.
    pub(crate) s3_secret_access_key: Option<Secret>,
    /// Region.
    pub(crate) s3_region: Option<String>,
    /// Role.
    pub(crate) s3_role_arn: Option<String>,
}

/// Where the model and the dataset come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origins {
    pub(crate) model: Source,
    pub(crate) dataset: Source,
}

impl Origins {
    /// Reads both.
    pub(crate) fn read(model: &str, dataset: &str, problems: &mut Problems) -> Option<Self> {
        let mut or_problem = |field: &str, read: Result<Source, String>| match read {
            Ok(source) => Some(source),
            Err(why) => {
                problems.add(field, why);
                None
            }
        };
        let (model, dataset) = (
            or_problem("model", Source::model(model)),
            or_problem("dataset", Source::dataset(dataset)),
        );
        Some(Self {
            model: model?,
            dataset: dataset?,
        })
    }

    pub(crate) fn any(&self, is: impl Fn(&Source) -> bool) -> bool {
        is(&self.model) || is(&self.dataset)
    }
}

pub(crate) fn is_hub(source: &Source) -> bool {
    matches!(source, Source::Hub { .. })
}

pub(crate) fn is_s3(source: &Source) -> bool {
    matches!(source, Source::S3 { .. })
}

impl FetchOptions {
    /// Checks what was given; `clear_text` is what the operator allows.
    pub(crate) fn check(&self, origins: &Origins, clear_text: bool, problems: &mut Problems) {
        let token = |secret: &Option<Secret>| secret.as_ref().is_some_and(|secret| secret.expose().is_some());
        let text = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        let hub = [
            ("hf_secret", text(&self.hf_secret)),
            ("hf_token", token(&self.hf_token)),
        ];
        let s3 = [
            ("s3_secret", text(&self.s3_secret)),
            ("s3_endpoint", text(&self.s3_endpoint)),
            ("s3_access_key_id", text(&self.s3_access_key_id)),
            ("s3_secret_access_key", token(&self.s3_secret_access_key)),
            ("s3_region", text(&self.s3_region)),
            ("s3_role_arn", text(&self.s3_role_arn)),
        ];
        let unused = |given: &[(&'static str, bool)], scheme: &str, problems: &mut Problems| {
            for (field, _) in given.iter().filter(|(_, given)| *given) {
                problems.add(
                    *field,
                    format!("is for {scheme}, and neither model nor dataset is such"),
                );
            }
        };
        if !origins.any(is_hub) {
            unused(&hub, "hf://", problems);
        }
        if !origins.any(is_s3) {
            unused(&s3, "s3://", problems);
        }
        for (field, given, beside) in [
            ("hf_token", token(&self.hf_token), text(&self.hf_secret)),
            (
                "s3_secret_access_key",
                token(&self.s3_secret_access_key),
                text(&self.s3_secret),
            ),
        ] {
            if given && !clear_text {
                problems.add(field, "would be readable in the job by everybody who may read jobs");
                problems.fix(BY_REFERENCE);
            } else if given && beside {
                problems.add(field, "is given beside the Secret that holds it: give one of them");
            }
        }
        if text(&self.s3_access_key_id) && !token(&self.s3_secret_access_key) && !text(&self.s3_secret) {
            problems.add("s3_access_key_id", "says nothing without its secret key");
            problems.fix(BY_REFERENCE);
        }
        for (field, name) in [("hf_secret", &self.hf_secret), ("s3_secret", &self.s3_secret)] {
            if name
                .as_ref()
                .is_some_and(|name| !name.is_empty() && !is_subdomain(name))
            {
                problems.add(field, "is not the name of a Secret");
            }
        }
        self.check_words(origins, problems);
    }

    fn check_words(&self, origins: &Origins, problems: &mut Problems) {
        let url = |text: &str| {
            let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
            rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['@', '?', '#']))
        };
        if self
            .s3_endpoint
            .as_deref()
            .is_some_and(|text| !text.is_empty() && !url(text))
        {
            problems.add(
                "s3_endpoint",
                "must be like https://minio.example.com:9000, without a user or a query",
            );
        }
        for (field, word) in [
            ("s3_endpoint", &self.s3_endpoint),
            ("s3_access_key_id", &self.s3_access_key_id),
            ("s3_region", &self.s3_region),
            ("s3_role_arn", &self.s3_role_arn),
        ] {
            let odd = |c: char| c.is_whitespace() || c.is_control();
            if word
                .as_ref()
                .is_some_and(|word| word.len() > 2048 || word.contains(odd))
            {
                problems.add(field, "must be one word");
            }
        }
        for (field, patterns, source) in [
            ("model_ignore_patterns", &self.model_ignore_patterns, &origins.model),
            (
                "dataset_ignore_patterns",
                &self.dataset_ignore_patterns,
                &origins.dataset,
            ),
        ] {
            let patterns = patterns.as_deref().unwrap_or_default();
            if !patterns.is_empty() && matches!(source, Source::Claim { .. }) {
                problems.add(field, "is for what is fetched, and a claim is read where it is");
            }
            // The initializer splits at commas.
            if patterns
                .iter()
                .any(|pattern| pattern.trim().is_empty() || pattern.contains([',', '\0']))
            {
                problems.add(field, "must be patterns such as *.bin, without commas");
            }
        }
    }

    /// `spec.initializer` of a job on a runtime; the steps of the runtime that have nothing to fetch are told to leave all out.
    /// None for a claim in place of a step without an address of its own, which could not be told.
    pub(crate) fn initializer(&self, origins: &Origins, runtime: &Runtime) -> Option<Value> {
        let unused: Vec<String> = UNUSED.split(',').map(str::to_owned).collect();
        let model = self.model_ignore_patterns.as_ref().unwrap_or(&unused);
        let dataset = self.dataset_ignore_patterns.as_deref().unwrap_or_default();
        Some(json!({
            "dataset": self.step(&origins.dataset, dataset, runtime, DATASET_STEP)?,
            "model": self.step(&origins.model, model, runtime, MODEL_STEP)?,
        }))
    }

    fn step(&self, source: &Source, ignore: &[String], runtime: &Runtime, step: &str) -> Option<Value> {
        let Some(uri) = source.uri() else {
            let usual = storage_uri(runtime, step)?;
            return Some(json!({"storageUri": usual, "env": [variable("IGNORE_PATTERNS", "*")]}));
        };
        let mut env: Vec<Value> = Vec::new();
        let mut put = |name: &str, value: Option<&str>| {
            env.extend(
                value
                    .filter(|value| !value.is_empty())
                    .map(|value| variable(name, value)),
            );
        };
        put("IGNORE_PATTERNS", Some(&ignore.join(",")));
        let secret = if is_hub(source) {
            put("ACCESS_TOKEN", self.hf_token.as_ref().and_then(Secret::expose));
            &self.hf_secret
        } else {
            put("ENDPOINT", self.s3_endpoint.as_deref());
            put("ACCESS_KEY_ID", self.s3_access_key_id.as_deref());
            let key = self.s3_secret_access_key.as_ref().and_then(Secret::expose);
            put("SECRET_ACCESS_KEY", key);
            put("REGION", self.s3_region.as_deref());
            put("ROLE_ARN", self.s3_role_arn.as_deref());
            &self.s3_secret
        };
        let mut step = json!({"storageUri": uri});
        if !env.is_empty() {
            step["env"] = json!(env);
        }
        if let Some(name) = secret.as_ref().filter(|name| !name.is_empty()) {
            step["secretRef"] = json!({"name": name});
        }
        Some(step)
    }
}

/// The address that a step of a runtime has when a job says none.
pub(crate) fn storage_uri<'a>(runtime: &'a Runtime, step: &str) -> Option<&'a str> {
    let part = runtime.initializers().find(|part| part.step == step)?;
    let of = |name: &str| part.containers.iter().find(|container| container.name == name);
    let uri = of(step)?.env.get("STORAGE_URI").map(String::as_str);
    uri.filter(|uri| !uri.is_empty())
}

/// A variable whose value arrives as it is: Kubernetes replaces `$(NAME)` and makes one dollar of two.
fn variable(name: &str, value: &str) -> Value {
    json!({"name": name, "value": value.replace('$', "$$")})
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
