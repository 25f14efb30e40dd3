//! The namespaces that a policy leaves to a caller, where they have to be named one by one.

use std::collections::BTreeSet;

use crate::cx::Cx;
use crate::error::ToolError;
use crate::kube::Meta;

/// How many namespaces are gone through one by one.
pub(crate) const MOST: usize = 100;

/// The namespaces that a caller may use under a policy that names some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// Their names, ordered.
    pub names: Vec<String>,
    /// What could not be looked for.
    pub not_seen: Vec<String>,
}

/// Those that the policy writes without wildcards, and those of the cluster that its patterns fit. Who may not list
/// namespaces has the patterns tried on the namespaces that the kubeconfig names.
pub(crate) async fn namespaces(cx: &Cx) -> Result<Allowed, ToolError> {
    let allowance = cx.allowance();
    let (named, patterns) = allowance.named_namespaces();
    let mut names: BTreeSet<String> = named.into_iter().map(str::to_owned).collect();
    let mut not_seen = Vec::new();
    if patterns {
        let mut found = Vec::new();
        match cx.kube().namespaces().await {
            Ok(page) => {
                if page.next.is_some() {
                    not_seen.push(format!("namespaces beyond the first {}", page.items.len()));
                }
                found.extend(page.decode::<Object>().0.into_iter().map(|object| object.metadata.name));
            }
            Err(error) if error.is_forbidden() => {
                not_seen.push(
                    "other namespaces that the policy allows: you may not list them; name one with `namespace`".into(),
                );
                found.push(cx.default_namespace().await?);
                found.extend(cx.kube().named_namespaces().await?);
            }
            Err(error) => return Err(error.into()),
        }
        names.extend(found.into_iter().filter(|name| allowance.namespace(name).is_ok()));
    }
    let mut names: Vec<String> = names.into_iter().collect();
    if names.len() > MOST {
        not_seen.push(format!("namespaces beyond the first {MOST}"));
        names.truncate(MOST);
    }
    Ok(Allowed { names, not_seen })
}

#[derive(serde::Deserialize)]
struct Object {
    metadata: Meta,
}
