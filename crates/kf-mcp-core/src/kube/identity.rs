//! As whom the process acts on its cluster, as far as its own credentials tell: no request is spent on it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kube::config::Kubeconfig;
use serde::Deserialize;

use crate::caller::Identity;

/// Who the chosen context of a kubeconfig acts as: the name of its user entry. Tokens and certificates of a person change,
/// that name stays.
pub(super) fn of_kubeconfig(kubeconfig: &Kubeconfig, chosen: Option<&str>) -> Identity {
    let chosen = chosen.or(kubeconfig.current_context.as_deref());
    let contexts = kubeconfig.contexts.iter();
    let mut named = contexts.filter(|named| Some(named.name.as_str()) == chosen);
    let user = named.find_map(|named| named.context.as_ref()?.user.clone());
    Identity::new("kubeconfig", user.unwrap_or_default())
}

/// Who a pod acts as: what its service account's token says.
pub(super) fn of_pod(token: &str) -> Identity {
    #[derive(Deserialize)]
    struct Claims {
        sub: String,
    }
    let claims = token.trim().split('.').nth(1);
    let claims = claims.and_then(|claims| URL_SAFE_NO_PAD.decode(claims).ok());
    let subject = claims.and_then(|claims| serde_json::from_slice(&claims).ok());
    Identity::new("serviceaccount", subject.map(|Claims { sub }| sub).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_acts_as_the_user_of_its_context() {
        let kubeconfig: Kubeconfig = Kubeconfig::from_yaml(
            "{current-context: b, contexts: [{name: a, context: {cluster: c, user: jane}}, {name: b, context: {cluster: c, user: joe}}]}",
        )
        .unwrap();
        assert_eq!(of_kubeconfig(&kubeconfig, None), Identity::new("kubeconfig", "joe"));
        assert_eq!(
            of_kubeconfig(&kubeconfig, Some("a")),
            Identity::new("kubeconfig", "jane")
        );
    }

    #[test]
    fn a_pod_acts_as_its_service_account() {
        let claims = URL_SAFE_NO_PAD.encode(r#"{"sub":"system:serviceaccount:kubeflow:mcp"}"#);
        let identity = of_pod(&format!("e30.{claims}.x\n"));
        assert_eq!(
            identity,
            Identity::new("serviceaccount", "system:serviceaccount:kubeflow:mcp")
        );
        assert_eq!(of_pod("opaque").subject, "");
    }
}
