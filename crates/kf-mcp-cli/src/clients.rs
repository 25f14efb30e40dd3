//! The one list of the components in this binary: link anchor and slim-build switch at once.

use kf_mcp_core::{ClientModule, Setting};

/// Every component that was compiled in, in the order they are shown.
pub(crate) const COMPILED: &[&dyn ClientModule] = &[
    #[cfg(feature = "trainer")]
    &kf_mcp_trainer::MODULE,
    #[cfg(feature = "optimizer")]
    &kf_mcp_optimizer::MODULE,
    #[cfg(feature = "hub")]
    &kf_mcp_hub::MODULE,
];

/// What is chosen when nobody chooses: the trainer, or everything in a slim build without it.
pub(crate) fn default_clients() -> Vec<String> {
    let names: Vec<String> = COMPILED.iter().map(|module| module.name().to_owned()).collect();
    match names.iter().find(|name| *name == "trainer") {
        Some(trainer) => vec![trainer.clone()],
        None => names,
    }
}

/// The configuration keys that the components read.
pub(crate) fn settings() -> impl Iterator<Item = Setting> {
    COMPILED.iter().flat_map(|module| module.settings()).copied()
}
