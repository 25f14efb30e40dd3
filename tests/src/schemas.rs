//! The schemas that components keep in writing (`src/schemas.json`), and what they ought to be.

use std::path::{Path, PathBuf};

use crate::MODULES;

/// What one component keeps.
#[derive(Debug)]
pub struct Kept {
    /// Its name.
    pub module: &'static str,
    /// Where it keeps them.
    pub file: PathBuf,
    /// What was compiled in.
    pub has: Option<&'static str>,
    /// What its types say.
    pub ought: String,
}

/// All components, and the core.
pub fn kept() -> Vec<Kept> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("crates");
    let modules = MODULES.iter().copied().chain([&kf_mcp_core::MODULE as _]);
    modules
        .map(|module| Kept {
            module: module.name(),
            file: crates.join(format!("kf-mcp-{}/src/schemas.json", module.name())),
            has: module.schemas(),
            ought: kf_mcp_core::schema::in_writing(module),
        })
        .collect()
}
