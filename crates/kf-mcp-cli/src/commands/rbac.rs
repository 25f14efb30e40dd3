//! `rbac`: the rights that the chosen tools need, as Kubernetes objects, without a cluster.

use std::process::ExitCode;

use kf_mcp_core::names::{is_label, is_subdomain};
use kf_mcp_core::rbac::{self, Grant};

use crate::open;
use crate::options::RbacOptions;
use crate::settings::{Settings, Unusable};

/// The name of what is made where nothing else is said.
const NAME: &str = "kubeflow-mcp";

pub(crate) fn run(options: &RbacOptions) -> anyhow::Result<ExitCode> {
    let settings = Settings::load(&options.common, options.flags(), true)?;
    let catalogues = open::catalogues(&settings)?;
    let namespace = settings.namespace.as_deref().unwrap_or("default");
    let account = match &options.service_account {
        None => (namespace, NAME),
        Some(account) => account
            .split_once('/')
            .filter(|(namespace, name)| is_label(namespace) && is_subdomain(name))
            .ok_or_else(|| Unusable(format!("service account `{account}` is not of the form NAMESPACE/NAME")))?,
    };
    let grant = Grant {
        name: account.1,
        namespace,
        reach: options.scope.into(),
        account,
        callers: settings.auth.callers(),
    };
    let also = options.also_for.iter().flat_map(|names| names.split(','));
    let personas: Vec<&str> = also.map(str::trim).filter(|name| !name.is_empty()).collect();
    let specs = open::specs(&catalogues, personas)?;
    super::print(rbac::manifests(specs.values(), &settings.sections, &grant).trim_end())?;
    Ok(ExitCode::SUCCESS)
}
