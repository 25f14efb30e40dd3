//! Devices that drivers offer by dynamic resource allocation (ResourceSlices), which no node counts as its resources.

use std::collections::{BTreeMap, BTreeSet};

use kf_mcp_core::Cx;
use kf_mcp_core::kube::meta::null_is_empty;
use kf_mcp_core::kube::{Groups, ListQuery, Resource};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::pods::outside;
use crate::refusal::said;

const GROUP: &str = "resource.k8s.io";
/// The versions that are understood, the best first.
const VERSIONS: [&str; 3] = ["v1", "v1beta2", "v1beta1"];
/// Slices that are read.
const MOST: u32 = 500;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Slice {
    spec: Spec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    driver: String,
    pool: Pool,
    #[serde(deserialize_with = "null_is_empty")]
    devices: Vec<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Pool {
    name: String,
    generation: i64,
}

/// The devices of each driver in a sentence, where the cluster has any. Claims are not looked at, so what is free stays open.
pub(crate) async fn read(cx: &Cx, groups: &Groups, not_seen: &mut Vec<String>) -> Vec<String> {
    let Some(version) = groups.first(GROUP, &VERSIONS) else {
        return Vec::new();
    };
    let query = ListQuery {
        limit: Some(MOST),
        ..ListQuery::default()
    };
    let slices = Resource::new(GROUP, version, "resourceslices").cluster();
    match cx.kube().list(&slices, None, &query).await {
        Ok(page) => {
            if page.next.is_some() {
                not_seen.push(format!("ResourceSlices beyond the first {MOST}"));
            }
            sentences(&page.decode().0)
        }
        // A version may be served for other kinds only.
        Err(error) if error.is_not_found() || error.is_not_served() => Vec::new(),
        Err(error) => {
            not_seen.push(format!("devices of dynamic resource allocation: {}", said(error)));
            Vec::new()
        }
    }
}

fn sentences(slices: &[Slice]) -> Vec<String> {
    // Slices of an older generation of a pool are left over from an update.
    let mut newest: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for Slice { spec } in slices {
        let newest = newest.entry((&spec.driver, &spec.pool.name)).or_insert(i64::MIN);
        *newest = spec.pool.generation.max(*newest);
    }
    let mut drivers: BTreeMap<&str, (usize, BTreeSet<&str>)> = BTreeMap::new();
    for Slice { spec } in slices {
        let current = newest.get(&(spec.driver.as_str(), spec.pool.name.as_str())) == Some(&spec.pool.generation);
        if current && !spec.devices.is_empty() {
            let (devices, pools) = drivers.entry(&spec.driver).or_default();
            *devices += spec.devices.len();
            pools.insert(&spec.pool.name);
        }
    }
    let told = drivers.into_iter().map(|(driver, (devices, pools))| {
        format!(
            "{devices} devices of {} in {} pools, for pods with resourceClaims only; what is free was not counted",
            outside(driver),
            pools.len()
        )
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_newest_generation_of_a_pool_counts() {
        let slice = |driver: &str, pool: &str, generation: i64, devices: usize| {
            let devices = vec![json!({"name": "d"}); devices];
            let slice = json!({"spec": {"driver": driver, "pool": {"name": pool, "generation": generation}, "devices": devices}});
            serde_json::from_value::<Slice>(slice).unwrap()
        };
        let told = sentences(&[
            slice("gpu.nvidia.com", "n1", 1, 8),
            slice("gpu.nvidia.com", "n1", 2, 4),
            slice("gpu.nvidia.com", "n1", 2, 3),
            slice("gpu.nvidia.com", "n2", 1, 1),
            slice("empty", "n1", 1, 0),
        ]);
        assert_eq!(told.len(), 1);
        assert!(
            told[0].starts_with("8 devices of gpu.nvidia.com in 2 pools"),
            "{told:?}"
        );
    }
}
