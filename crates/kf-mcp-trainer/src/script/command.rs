//! The command of the training container on each kind of runtime.

use kf_mcp_trainjob::Policy;

use super::bundle::BOOT;
use crate::submit::Problems;

/// Starts the image's Python. `python` comes first, as for the Kubeflow SDK: in the images of Trainer it is the one that has
/// the frameworks. There is no `$(` in it, which Kubernetes would expand.
const PICK: &str = concat!(
    "# kubeflow-mcp: starts the image's Python.\n",
    r#"for p in python python3; do "$p" -c 'import sys; sys.exit(sys.version_info < (3, 7))' 2>/dev/null && exec "$p" "$@"; "#,
    r#"done; echo "kubeflow-mcp: this image has no Python 3.7 or newer called python or python3" >&2; exit 127"#,
);
/// As many variables as `mpirun` is told of: each takes two of the 128 words of a command.
const MOST_VARIABLES: usize = 56;

/// The command. The arguments hold the script.
pub(super) fn of(policy: Policy, variables: &[String], problems: &mut Problems) -> Vec<String> {
    let mut command = Vec::new();
    if policy == Policy::Mpi {
        // Ranks on other nodes are started by ssh, and know of the job's variables only what mpirun tells them.
        command.extend(["mpirun", "--hostfile", "/etc/mpi/hostfile"].map(str::to_owned));
        if variables.len() > MOST_VARIABLES {
            let why = format!(
                "has {} variables; on an MPI runtime at most {MOST_VARIABLES} reach all ranks",
                variables.len()
            );
            problems.add("env", why);
        }
        for variable in variables {
            command.extend(["-x".to_owned(), variable.clone()]);
        }
    }
    command.extend(["sh", "-c", PICK, "sh", "-c", BOOT].map(str::to_owned));
    command
}

/// The command as people say it.
pub(super) fn in_words(policy: Policy) -> Vec<String> {
    let words: &[&str] = match policy {
        Policy::Torch => &["torchrun", "training_script.py"],
        Policy::Mpi => &["mpirun", "python", "training_script.py"],
        Policy::Jax | Policy::Xgboost | Policy::Flux | Policy::Plain => &["python", "training_script.py"],
    };
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubernetes_expands_nothing_in_it() {
        for policy in [Policy::Torch, Policy::Mpi, Policy::Plain] {
            let mut problems = Problems::default();
            for word in of(policy, &["A".into()], &mut problems) {
                assert!(!word.contains("$(") && !word.contains("$$"), "{word}");
                // Trainer before v2.2 takes no longer ones.
                assert!(word.len() < 65_536);
            }
            assert!(problems.settle("t").is_ok());
        }
    }

    #[test]
    fn ranks_get_the_variables_of_the_job() {
        let mut problems = Problems::default();
        let command = of(Policy::Mpi, &["A".into(), "B".into()], &mut problems);
        assert_eq!(
            command[..8],
            ["mpirun", "--hostfile", "/etc/mpi/hostfile", "-x", "A", "-x", "B", "sh"]
        );
        let many: Vec<String> = (0..57).map(|n| format!("V{n}")).collect();
        assert!(of(Policy::Mpi, &many, &mut problems).len() <= 128);
        assert_eq!(problems.settle("t").unwrap_err().field.as_deref(), Some("env"));
        assert_eq!(of(Policy::Torch, &many, &mut Problems::default()).len(), 6);
    }
}
