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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_component_names_a_tool_without_arguments_that_tells_whether_it_is_there() {
        for module in COMPILED {
            let check = module.check().unwrap();
            let clients = [module.name().to_owned()];
            let tools = kf_mcp_core::Tools::new(COMPILED, &clients).unwrap();
            let catalogues = kf_mcp_core::Catalogues::new(tools, Default::default(), "readonly").unwrap();
            let catalogue = catalogues.default();
            let tool = catalogue.get(check.tool).unwrap();
            assert!(tool.input_schema.get("required").is_none(), "{}", check.tool);
        }
    }
}
