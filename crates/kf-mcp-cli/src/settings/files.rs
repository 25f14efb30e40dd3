//! What settings are read from besides the command line: the environment, and files that they name.

use std::path::{Path, PathBuf};

use kf_mcp_server::confirm::MIN_KEY;

use super::Unusable;

/// Our variables in the environment. A Service named `kubeflow-mcp` makes Kubernetes put its address into the pods beside
/// it under our prefix: those are not settings.
pub(super) fn variables() -> Vec<(String, String)> {
    let service_link = std::env::var_os("KUBEFLOW_MCP_SERVICE_HOST").is_some();
    let is_link = |name: &str, value: &str| {
        name.starts_with("KUBEFLOW_MCP_SERVICE_")
            || name.starts_with("KUBEFLOW_MCP_PORT_")
            || value.starts_with("tcp://")
    };
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, value)| name.starts_with("KUBEFLOW_MCP_") && !(service_link && is_link(name, value)))
        .collect()
}

/// The key in a file: all of it but the end of its last line.
pub(super) fn state_key(file: &Path) -> Result<Vec<u8>, Unusable> {
    let named = |why: String| Unusable(format!("state key file {}: {why}", file.display()));
    let mut key = std::fs::read(file).map_err(|error| named(error.to_string()))?;
    while key.last().is_some_and(|end| matches!(end, b'\n' | b'\r')) {
        key.pop();
    }
    if key.len() < MIN_KEY {
        return Err(named(format!("has {} bytes, a key has at least {MIN_KEY}", key.len())));
    }
    Ok(key)
}

/// The policy that is used when none is named: the one in the home directory, if it is there. Whether it can be read is
/// found out when it is.
pub(super) fn usual_policy() -> Option<PathBuf> {
    let file = std::env::home_dir()?.join(".kf-mcp-policy.yaml");
    file.symlink_metadata().is_ok().then_some(file)
}
