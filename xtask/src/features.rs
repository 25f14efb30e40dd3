//! `features`: each set of components builds, and lists what it should.

use anyhow::{Context, Result, bail};

use crate::project::{cargo, output, root, say, target};

/// The sets: single components, none, all.
const SETS: &[(&str, &str)] = &[
    ("trainer", "trainer"),
    ("optimizer", "optimizer"),
    ("hub", "hub"),
    ("none", ""),
    ("all", "trainer,optimizer,hub,sandbox"),
];

pub(crate) fn run(bless: bool) -> Result<()> {
    let folder = root().join("tests/catalogue");
    std::fs::create_dir_all(&folder)?;
    let binary = target().join("debug/kubeflow-mcp");
    let mut wrong = Vec::new();
    for (name, features) in SETS {
        cargo(&[
            "build",
            "--quiet",
            "-p",
            "kf-mcp-cli",
            "--no-default-features",
            "--features",
            features,
        ])?;
        let clients: Vec<&str> = features.split(',').filter(|f| !matches!(*f, "" | "sandbox")).collect();
        let listed = output(
            &binary,
            &["tools", "--clients", &clients.join(","), "--persona", "platform-admin"],
        )?;
        let names: Vec<&str> = listed
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        // The last line is the count.
        let names = names
            .get(..names.len().saturating_sub(1))
            .unwrap_or_default()
            .join("\n")
            + "\n";
        let file = folder.join(format!("{name}.txt"));
        if bless {
            std::fs::write(&file, &names).with_context(|| format!("write {}", file.display()))?;
        } else if std::fs::read_to_string(&file).unwrap_or_default() != names {
            wrong.push(format!(
                "{name}: the catalogue is not tests/catalogue/{name}.txt but:\n{names}"
            ));
        }
        say(&format!("features `{features}`: {} tools", names.lines().count()));
    }
    if !wrong.is_empty() {
        bail!(
            "{}\nrun `cargo xtask features --bless` if that is meant",
            wrong.join("\n")
        );
    }
    Ok(())
}
