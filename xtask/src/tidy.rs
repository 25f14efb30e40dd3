//! `tidy`: what rustc and clippy do not notice.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use walkdir::WalkDir;

use crate::project::{root, say};

/// From here on a file is worth a look.
const LONG: usize = 400;
/// No file is longer.
const TOO_LONG: usize = 800;
/// Where rmcp may be named: the server, and the commands and tests that are MCP clients.
const MAY_NAME_RMCP: &[&str] = &[
    "crates/kf-mcp-server/",
    "crates/kf-mcp-cli/src/commands/demo",
    "crates/kf-mcp-cli/tests/",
    "tests/",
    "xtask/",
];

pub(crate) fn run() -> Result<()> {
    let root = root();
    let mut wrong = Vec::new();
    let mut reached = BTreeSet::new();
    let mut files = Vec::new();
    for entry in WalkDir::new(&root)
        .into_iter()
        .filter_entry(|e| !matches!(e.file_name().to_str(), Some("target" | ".git")))
    {
        let path = entry.context("walk the tree")?.into_path();
        if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files.sort();
    for entry in files.iter().filter(|path| is_root(path)) {
        reach(entry, true, &mut reached)?;
    }
    for path in &files {
        let name = path.strip_prefix(&root).unwrap_or(path).display().to_string();
        let text = std::fs::read_to_string(path).with_context(|| format!("read {name}"))?;
        if !reached.contains(path) {
            wrong.push(format!("{name}: no `mod` leads here, so it is never compiled"));
        }
        if !text.starts_with("//! ") {
            wrong.push(format!("{name}: does not begin with a `//!` sentence"));
        }
        if text.contains("rmcp::") && !MAY_NAME_RMCP.iter().any(|place| name.starts_with(place)) {
            wrong.push(format!("{name}: names rmcp, which only kf-mcp-server may"));
        }
        match product_lines(&text) {
            lines if lines > TOO_LONG => {
                wrong.push(format!("{name}: {lines} lines without its tests; at most {TOO_LONG}"))
            }
            lines if lines > LONG => say(&format!("note: {name}: {lines} lines; is there a second thing inside?")),
            _ => {}
        }
    }
    if !wrong.is_empty() {
        bail!("not tidy:\n{}", wrong.join("\n"));
    }
    say(&format!("tidy: {} files", files.len()));
    Ok(())
}

/// Files that cargo starts from.
fn is_root(path: &Path) -> bool {
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let folder = path
        .parent()
        .and_then(Path::file_name)
        .and_then(|n| n.to_str())
        .unwrap_or_default();
    let grand = path
        .parent()
        .and_then(Path::parent)
        .and_then(Path::file_name)
        .and_then(|n| n.to_str())
        .unwrap_or_default();
    (folder == "src" && matches!(name, "lib.rs" | "main.rs"))
        || name == "build.rs"
        || matches!(folder, "tests" | "examples" | "benches")
        || (matches!(grand, "tests" | "examples") && name == "main.rs" && folder != "src")
}

fn reach(path: &Path, is_root: bool, reached: &mut BTreeSet<PathBuf>) -> Result<()> {
    if !reached.insert(path.to_owned()) {
        return Ok(());
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let file = syn::parse_file(&text).with_context(|| format!("parse {}", path.display()))?;
    let folder = path.parent().unwrap_or(path);
    let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
    let inside = if is_root || stem == "mod" {
        folder.to_owned()
    } else {
        folder.join(stem)
    };
    modules(&file.items, folder, &inside, reached)
}

fn modules(items: &[syn::Item], folder: &Path, inside: &Path, reached: &mut BTreeSet<PathBuf>) -> Result<()> {
    for item in items {
        let syn::Item::Mod(module) = item else { continue };
        let name = module.ident.to_string();
        match &module.content {
            Some((_, items)) => modules(items, folder, &inside.join(name), reached)?,
            None => {
                let file = path_attribute(module).unwrap_or_else(|| format!("{name}.rs"));
                let candidates = [
                    inside.join(&file),
                    folder.join(&file),
                    inside.join(&name).join("mod.rs"),
                ];
                for path in candidates.iter().filter(|path| path.exists()) {
                    reach(path, false, reached)?;
                }
            }
        }
    }
    Ok(())
}

/// The file of `#[path = "file.rs"] mod name;`, which is beside the file that says so.
fn path_attribute(module: &syn::ItemMod) -> Option<String> {
    module.attrs.iter().find_map(|attribute| match &attribute.meta {
        syn::Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit {
                lit: syn::Lit::Str(file),
                ..
            }) => Some(file.value()),
            _ => None,
        },
        _ => None,
    })
}

/// Lines before the tests.
fn product_lines(text: &str) -> usize {
    text.lines().take_while(|line| *line != "#[cfg(test)]").count()
}
