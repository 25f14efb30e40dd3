//! Defaults of Services and volume claims.

use serde_json::{Value, json};

use super::container::amounts;
use super::{each, set};
use crate::controllers::objects::hash;

/// Fills in a Service.
pub(super) fn service(service: &mut Value) {
    let spec = &mut service["spec"];
    for (field, value) in [
        ("type", json!("ClusterIP")),
        ("sessionAffinity", json!("None")),
        ("internalTrafficPolicy", json!("Cluster")),
    ] {
        set(spec, field, &value);
    }
    if spec["clusterIP"].is_string() {
        let address = spec["clusterIP"].clone();
        set(spec, "clusterIPs", &json!([address]));
    }
    for port in each(spec, "ports") {
        set(port, "protocol", &json!("TCP"));
        let number = port["port"].clone();
        set(port, "targetPort", &number);
    }
    set(service, "status", &json!({"loadBalancer": {}}));
}

/// The address families of a new Service.
pub(super) fn families(service: &mut Value) {
    set(&mut service["spec"], "ipFamilies", &json!(["IPv4"]));
    set(&mut service["spec"], "ipFamilyPolicy", &json!("SingleStack"));
}

/// The address of a Service, made of its uid: nothing listens there, but every cluster gives one.
pub(super) fn address(service: &mut Value) {
    let spec = &service["spec"];
    if !spec["clusterIP"].is_null() || spec["type"] == "ExternalName" {
        return;
    }
    let seed = hash(service["metadata"]["uid"].as_str().unwrap_or_default());
    let [_, .., high, low] = seed.to_be_bytes();
    let address = format!("10.96.{high}.{low}");
    service["spec"]["clusterIP"] = json!(address);
    service["spec"]["clusterIPs"] = json!([address]);
}

/// Fills in a volume claim.
pub(super) fn claim(claim: &mut Value) {
    set(&mut claim["spec"], "volumeMode", &json!("Filesystem"));
    amounts(claim.pointer_mut("/spec/resources/requests"));
    set(&mut claim["status"], "phase", &json!("Pending"));
}

/// What keeps a new claim while pods use it.
pub(super) fn protected(claim: &mut Value) {
    claim["metadata"]["finalizers"] = json!(["kubernetes.io/pvc-protection"]);
}
