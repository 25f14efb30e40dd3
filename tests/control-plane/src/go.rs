//! Running Go, and saying what is missing when it cannot run.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The module that names the programs and their versions.
const MODULE: &str = include_str!("../go.mod");

/// Go, in the directory of our module.
#[derive(Debug, Clone)]
pub(crate) struct Go {
    module: PathBuf,
}

impl Go {
    /// Finds Go and checks that it is new enough.
    pub(crate) fn find() -> Result<Self> {
        let go = Self {
            module: Path::new(env!("CARGO_MANIFEST_DIR")).to_owned(),
        };
        let wanted = wanted();
        let advice = format!(
            "Go {wanted} or newer builds the control plane's programs: install it (package `golang`, or go.dev/dl) and see that `go` is on the PATH"
        );
        let version = go.output(&["env", "GOVERSION"]).context(advice.clone())?;
        if number(version.trim().trim_start_matches("go")) < number(wanted) {
            bail!("{} is too old: {advice}", version.trim());
        }
        Ok(go)
    }

    /// Runs Go to its end; what it prints goes to our standard error.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<()> {
        let status = self.command(arguments).status().context("start go")?;
        if !status.success() {
            bail!("go {} failed ({status})", arguments.join(" "));
        }
        Ok(())
    }

    /// What Go prints.
    pub(crate) fn output(&self, arguments: &[&str]) -> Result<String> {
        let done = self.command(arguments).output().context("start go")?;
        if !done.status.success() {
            let said = String::from_utf8_lossy(&done.stderr);
            bail!("go {} failed: {}", arguments.join(" "), said.trim());
        }
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    }

    /// Where the files of a module are, in the version that go.mod names.
    pub(crate) fn module(&self, path: &str) -> Result<PathBuf> {
        let told = self.output(&["mod", "download", "-json", path])?;
        let told: Value = serde_json::from_str(&told).context("read what go says about a module")?;
        let dir = told["Dir"]
            .as_str()
            .with_context(|| format!("go does not say where {path} is"))?;
        Ok(PathBuf::from(dir))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("go");
        command
            .args(arguments)
            .current_dir(&self.module)
            .env("CGO_ENABLED", "0")
            .env("GOFLAGS", "-buildvcs=false")
            .env("GOWORK", "off");
        command
    }
}

/// The version of a module in go.mod, as `v1.36.3`.
pub(crate) fn version_of(module: &str) -> Option<&'static str> {
    MODULE
        .lines()
        .map(|line| line.trim().trim_start_matches("require "))
        .find_map(|line| line.strip_prefix(module)?.strip_prefix(' ')?.split(' ').next())
        .filter(|version| version.starts_with('v'))
}

/// The version of Go that go.mod asks for.
fn wanted() -> &'static str {
    MODULE
        .lines()
        .find_map(|line| line.strip_prefix("go "))
        .unwrap_or("1.26")
}

/// Major and minor, for comparing.
fn number(version: &str) -> (u32, u32) {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or_default());
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_from_go_mod() {
        assert_eq!(version_of("k8s.io/kubernetes"), Some("v1.36.3"));
        assert_eq!(version_of("nobody.example/knows"), None);
        assert!(number(wanted()) >= (1, 26));
        assert!(number("1.9.1") < number("1.26"));
    }
}
