//! Kubeflow optimizer: Katib Experiments (hyperparameter searches), their trials and what they found.
//!
//! Katib's objects have no schema in the API server, so everything is read leniently: an experiment that another tool
//! wrote is a row with a note, never an error of the whole list.

use kf_mcp_core::{Check, ClientModule, Tier};

mod api;
mod best;
mod outline;
mod read;
mod refusal;
mod status;
pub mod tools;

/// The module for `--clients optimizer`.
pub static MODULE: Optimizer = Optimizer;

/// Katib as a client module.
#[derive(Debug)]
pub struct Optimizer;

impl ClientModule for Optimizer {
    fn name(&self) -> &'static str {
        "optimizer"
    }
    fn about(&self) -> &'static str {
        "Katib: hyperparameter searches, their trials and the best parameters so far"
    }
    fn home(&self) -> &'static str {
        module_path!()
    }
    fn schemas(&self) -> Option<&'static str> {
        Some(include_str!("schemas.json"))
    }
    fn instructions(&self, _tier: Tier) -> &'static str {
        "An optimization job is a Katib Experiment. list_optimization_jobs finds it, get_optimization_job shows its trials, \
         get_best_hyperparameters works while it runs."
    }
    fn check(&self) -> Option<Check> {
        Some(Check {
            tool: "list_optimization_jobs",
            holds: |_| true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kf_mcp_core::{Catalogue, Selection};

    #[test]
    fn the_catalogue_takes_the_module_alone() {
        let selection = Selection {
            clients: vec!["optimizer".into()],
            ..Selection::default()
        };
        let catalogue = Catalogue::new(&[&MODULE], &selection).unwrap();
        for tool in [
            "list_optimization_jobs",
            "get_optimization_job",
            "get_best_hyperparameters",
        ] {
            let listed = catalogue.get(tool).unwrap();
            assert!((20..=300).contains(&listed.description.len()), "{}", listed.description);
        }
    }
}
