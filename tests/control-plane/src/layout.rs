//! Where a control plane keeps its files: everything under one directory.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::process::Id;

/// The directory of one control plane.
#[derive(Debug, Clone)]
pub struct Layout {
    dir: PathBuf,
}

/// What a control plane says of itself in `plane.json`, for whoever wants to use or stop it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct State {
    /// The process that all others are children of.
    pub(crate) supervisor: Option<Id>,
    /// The others, in the order in which they were started.
    pub(crate) processes: Vec<(String, Id)>,
    /// Where the programs are.
    pub(crate) tools: PathBuf,
    /// The API server's port.
    pub(crate) port: u16,
    /// Whether everything answers.
    pub(crate) ready: bool,
    /// Why it did not come up.
    pub(crate) failed: Option<String>,
    /// How long the steps of starting took, in milliseconds since the beginning.
    pub(crate) steps: Vec<(u64, String)>,
}

impl State {
    /// Whether the supervisor still runs.
    pub(crate) fn supervised(&self) -> bool {
        self.supervisor.is_some_and(Id::alive)
    }
}

impl Layout {
    /// The layout under a directory. Nothing is read.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The kubeconfig of the user `admin`, who may do everything and whose requests are in the audit log.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.join("kubeconfig")
    }

    /// The kubeconfig of the harness, who may do everything and is not in the audit log.
    #[must_use]
    pub fn harness(&self) -> PathBuf {
        self.dir.join("harness.kubeconfig")
    }

    /// The kubeconfig of a user.
    #[must_use]
    pub fn user(&self, name: &str) -> PathBuf {
        self.dir.join("users").join(format!("{name}.kubeconfig"))
    }

    /// The log of a process.
    #[must_use]
    pub fn log(&self, component: &str) -> PathBuf {
        self.dir.join("logs").join(format!("{component}.log"))
    }

    /// The API server's audit log.
    #[must_use]
    pub fn audit(&self) -> PathBuf {
        self.dir.join("audit.log")
    }

    /// Where prepared container logs are.
    #[must_use]
    pub fn pod_logs(&self) -> PathBuf {
        self.dir.join("pod-logs")
    }

    pub(crate) fn pki(&self) -> PathBuf {
        self.dir.join("pki")
    }

    pub(crate) fn state_file(&self) -> PathBuf {
        self.dir.join("plane.json")
    }

    /// What the control plane says of itself; nothing when there is none.
    pub(crate) fn state(&self) -> Option<State> {
        serde_json::from_slice(&std::fs::read(self.state_file()).ok()?).ok()
    }

    /// Writes the state so that a reader sees all of it or the one before.
    pub(crate) fn write_state(&self, state: &State) -> Result<()> {
        let next = self.dir.join("plane.json.next");
        std::fs::write(&next, serde_json::to_vec_pretty(state)?).context("write plane.json")?;
        std::fs::rename(&next, self.state_file()).context("replace plane.json")
    }
}
