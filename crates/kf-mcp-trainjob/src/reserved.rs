//! Variables that Trainer sets in the training containers itself, so that nobody else may.

use crate::runtime::Policy;

const TORCH: &[&str] = &[
    "PET_NNODES",
    "PET_NPROC_PER_NODE",
    "PET_NODE_RANK",
    "PET_MASTER_ADDR",
    "PET_MASTER_PORT",
];
const JAX: &[&str] = &["JAX_NUM_PROCESSES", "JAX_PROCESS_ID", "JAX_COORDINATOR_ADDRESS"];
const XGBOOST: &[&str] = &[
    "DMLC_TRACKER_URI",
    "DMLC_TRACKER_PORT",
    "DMLC_TASK_ID",
    "DMLC_NUM_WORKER",
];
const MPI: &[&str] = &[
    "OMPI_MCA_orte_default_hostfile",
    "OMPI_MCA_plm_rsh_args",
    "OMPI_MCA_orte_keep_fqdn_hostnames",
    "OMPI_MCA_orte_set_default_slots",
];

/// The variables that Trainer sets for a machine learning policy. Others with the same prefix are settings that a user
/// may well make, for example `PET_RDZV_CONF`.
pub fn reserved_names(policy: Policy) -> &'static [&'static str] {
    match policy {
        Policy::Torch => TORCH,
        Policy::Jax => JAX,
        Policy::Xgboost => XGBOOST,
        Policy::Mpi => MPI,
        Policy::Flux | Policy::Plain => &[],
    }
}

/// Whether Trainer sets this variable itself under a machine learning policy.
pub fn reserved_env(policy: Policy, name: &str) -> bool {
    reserved_names(policy).contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_reserves_its_own() {
        assert!(reserved_env(Policy::Torch, "PET_NNODES"));
        assert!(!reserved_env(Policy::Torch, "PET_RDZV_CONF"));
        assert!(!reserved_env(Policy::Plain, "PET_NNODES"));
        assert!(reserved_env(Policy::Xgboost, "DMLC_TASK_ID"));
    }
}
