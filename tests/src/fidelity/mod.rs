//! The same operations on the sandbox and on a real control plane, compared object by object.

pub mod api;
pub mod differences;
pub mod life;
pub mod normal;

/// TEMPORARY: a client of the control plane that `KF_CONTROL_PLANE_KUBECONFIG` names.
#[cfg(test)]
pub(crate) async fn real_for_development() -> crate::place::Place {
    let path = std::env::var("KF_CONTROL_PLANE_KUBECONFIG").unwrap();
    let config = kube::config::Kubeconfig::read_from(path).unwrap();
    let mut config = kube::Config::from_custom_kubeconfig(config, &kube::config::KubeConfigOptions::default())
        .await
        .unwrap();
    config.default_retry = false;
    crate::place::Place::Real(kube::Client::try_from(config).unwrap())
}
