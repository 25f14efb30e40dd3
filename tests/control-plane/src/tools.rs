//! The programs and manifests of a control plane: built by Go, taken from the modules, kept as long as go.mod stays.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::go::{Go, version_of};

/// What `go build tool` names the programs, and what we call them.
const PROGRAMS: &[(&str, &str)] = &[
    ("server", "etcd"),
    ("kube-apiserver", "kube-apiserver"),
    ("kube-controller-manager", "kube-controller-manager"),
    ("kube-scheduler", "kube-scheduler"),
    ("kubectl", "kubectl"),
    ("jobset", "jobset"),
    ("trainer-controller-manager", "trainer"),
    ("kwok", "kwok"),
];

/// Changes when the way of building does, so that older tools are built again.
const RECIPE: &str = "1";

/// The built programs and the collected manifests.
#[derive(Debug, Clone)]
pub struct Tools {
    dir: PathBuf,
}

impl Tools {
    /// The tools under a cargo target directory, built when they are not there or of another go.mod. Slow the first time
    /// (minutes), at once after that. Two that build at the same time wait for each other.
    pub fn build(target: &Path, say: &dyn Fn(&str)) -> Result<Self> {
        let tools = Self::at(target);
        fs::create_dir_all(&tools.dir).with_context(|| format!("create {}", tools.dir.display()))?;
        let lock = File::create(tools.dir.join("lock")).context("create the lock of the tools")?;
        lock.lock().context("wait for another build of the tools")?;
        if tools.complete() {
            return Ok(tools);
        }
        tools.make(say)?;
        fs::write(tools.dir.join("stamp"), stamp()).context("write the stamp of the tools")?;
        Ok(tools)
    }

    /// The tools under a cargo target directory, as they are.
    #[must_use]
    pub fn at(target: &Path) -> Self {
        Self {
            dir: target.join("control-plane").join("tools"),
        }
    }

    /// The tools in a directory of their own.
    #[must_use]
    pub const fn in_dir(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Whether they are all there, and of this go.mod.
    #[must_use]
    pub fn complete(&self) -> bool {
        fs::read_to_string(self.dir.join("stamp")).is_ok_and(|made| made == stamp())
    }

    /// Where they are.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The path of a program, by our name for it.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The text of a manifest.
    pub(crate) fn manifest(&self, name: &str) -> Result<String> {
        let path = self.path(name);
        fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
    }

    /// The path of a manifest.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join("manifests").join(name)
    }

    fn make(&self, say: &dyn Fn(&str)) -> Result<()> {
        let go = Go::find()?;
        say("building the control plane's programs with go (some minutes the first time)");
        let version = version_of("k8s.io/kubernetes").unwrap_or("v0.0.0");
        let flags = format!("-s -w -X k8s.io/component-base/version.gitVersion={version}");
        let out = self.dir.join("out");
        fs::create_dir_all(&out).context("create the output directory")?;
        let to = format!("{}/", out.display());
        go.run(&["build", "-trimpath", "-ldflags", &flags, "-o", &to, "tool"])?;
        for (from, to) in PROGRAMS {
            let to = self.dir.join(to);
            fs::rename(out.join(from), &to).with_context(|| format!("move {from} to {}", to.display()))?;
        }
        say("collecting the manifests");
        self.collect(&go)
    }

    /// Copies what `up` applies out of the modules, so that it needs no Go.
    fn collect(&self, go: &Go) -> Result<()> {
        let jobset = go.module("sigs.k8s.io/jobset")?;
        let trainer = go.module("github.com/kubeflow/trainer/v2")?;
        let kwok = go.module("sigs.k8s.io/kwok")?;
        let volumes = kwok.join("kustomize/stage/volume/fast");
        let parts: [(&str, Vec<PathBuf>); 7] = [
            ("crds.yaml", {
                let mut all = yaml_files(&jobset.join("config/components/crd/bases"))?;
                all.extend(
                    yaml_files(&trainer.join("manifests/base/crds"))?
                        .into_iter()
                        .filter(|path| {
                            path.file_name()
                                .and_then(|name| name.to_str())
                                .is_some_and(|name| name.starts_with("trainer."))
                        }),
                );
                all
            }),
            (
                "jobset-webhooks.yaml",
                vec![jobset.join("config/components/webhook/manifests.yaml")],
            ),
            (
                "trainer-webhooks.yaml",
                vec![trainer.join("manifests/base/webhook/manifests.yaml")],
            ),
            (
                "trainer-roles.yaml",
                vec![trainer.join("manifests/overlays/kubeflow-platform/kubeflow-trainer-roles.yaml")],
            ),
            (
                "trainer-public.yaml",
                vec![
                    trainer.join("manifests/base/rbac/public_configmap_role.yaml"),
                    trainer.join("manifests/base/rbac/public_configmap_role_binding.yaml"),
                ],
            ),
            (
                "volume-stages.yaml",
                ["pvc-provision", "pv-bind", "pvc-delete", "pv-delete"]
                    .map(|name| volumes.join(format!("{name}.yaml")))
                    .to_vec(),
            ),
            ("storage-class.yaml", vec![volumes.join("storage-class.yaml")]),
        ];
        let manifests = self.dir.join("manifests");
        fs::create_dir_all(&manifests).context("create the directory of the manifests")?;
        for (name, files) in parts {
            let mut all = String::new();
            for file in &files {
                let text = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
                write!(all, "---\n{text}\n")?;
            }
            fs::write(manifests.join(name), all).with_context(|| format!("write {name}"))?;
        }
        let runtimes = Command::new(self.program("kubectl"))
            .arg("kustomize")
            .arg(trainer.join("manifests/overlays/runtimes"))
            .output()
            .context("start kubectl")?;
        if !runtimes.status.success() {
            bail!(
                "kubectl kustomize failed: {}",
                String::from_utf8_lossy(&runtimes.stderr)
            );
        }
        fs::write(manifests.join("runtimes.yaml"), runtimes.stdout).context("write runtimes.yaml")
    }
}

/// The YAML files of a directory, by name.
fn yaml_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).with_context(|| format!("read {}", dir.display()))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    if files.is_empty() {
        bail!("there is no YAML file in {}", dir.display());
    }
    Ok(files)
}

/// What the tools depend on.
fn stamp() -> String {
    let mut digest = Sha256::new();
    for part in [RECIPE, include_str!("../go.mod"), include_str!("../go.sum")] {
        digest.update(part);
    }
    digest.finalize().iter().fold(String::new(), |mut text, byte| {
        let written = write!(text, "{byte:02x}");
        debug_assert!(written.is_ok());
        text
    })
}
