//! Manifests: many objects in a file, and webhooks that listen on loopback instead of behind a Service.

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

/// The objects of a YAML file.
pub(crate) fn objects(yaml: &str) -> Result<Vec<Value>> {
    // the largest definition is some megabytes, and it comes from a module that go.sum vouches for
    let options = serde_saphyr::options! { budget: None };
    let all: Vec<Value> = serde_saphyr::from_multiple_with_options(yaml, options).context("read YAML")?;
    Ok(all.into_iter().filter(Value::is_object).collect())
}

/// Webhook configurations that call a port on loopback, trusted by the authority that is given. What the projects' own
/// kustomize patches add is added here.
pub(crate) fn webhooks(yaml: &str, name: &str, port: u16, authority: &str) -> Result<Vec<Value>> {
    let mut all = objects(yaml)?;
    for object in &mut all {
        let own = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        object["metadata"]["name"] = json!(format!("{name}-{own}"));
        for webhook in object["webhooks"].as_array_mut().into_iter().flatten() {
            let path = webhook["clientConfig"]["service"]["path"].as_str().unwrap_or_default();
            webhook["clientConfig"] = json!({
                "url": format!("https://127.0.0.1:{port}{path}"),
                "caBundle": BASE64.encode(authority),
            });
            if let Some(selector) = selector(webhook["name"].as_str().unwrap_or_default()) {
                webhook["objectSelector"] = selector;
            }
        }
    }
    Ok(all)
}

/// Which objects a webhook is asked about, where that is not all.
fn selector(webhook: &str) -> Option<Value> {
    let expression = match webhook {
        "mpod.kb.io" | "vpod.kb.io" => json!({"key": "jobset.sigs.k8s.io/jobset-name", "operator": "Exists"}),
        "validator.trainingruntime.trainer.kubeflow.org" | "validator.clustertrainingruntime.trainer.kubeflow.org" => {
            json!({"key": "trainer.kubeflow.org/webhook-validation", "operator": "NotIn", "values": ["disabled"]})
        }
        _ => return None,
    };
    Some(json!({"matchExpressions": [expression]}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webhooks_are_called_on_loopback() {
        let yaml = "---\nkind: ValidatingWebhookConfiguration\nmetadata: {name: validating}\nwebhooks:\n- name: vpod.kb.io\n  \
                    clientConfig: {service: {name: s, namespace: n, path: /validate--v1-pod}}\n---\n";
        let all = webhooks(yaml, "jobset", 7, "CA").unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!(all[0]["metadata"]["name"], "jobset-validating");
        let webhook = &all[0]["webhooks"][0];
        assert_eq!(
            webhook["clientConfig"],
            json!({"url": "https://127.0.0.1:7/validate--v1-pod", "caBundle": "Q0E="})
        );
        assert_eq!(webhook["objectSelector"]["matchExpressions"][0]["operator"], "Exists");
    }
}
