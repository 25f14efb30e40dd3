//! The tools as clients list them, made once for each catalogue.

use std::sync::{Arc, Mutex, PoisonError};

use kf_mcp_core::{Catalogue, Engine, Listed};
use rmcp::model::{Tool, ToolAnnotations};

/// Listings that were made.
#[derive(Debug, Default)]
pub(crate) struct Listings(Mutex<Vec<Listing>>);

/// What a catalogue lists. One that nobody else holds any more belongs to a policy that was replaced.
type Listing = (Arc<Catalogue>, Arc<[Tool]>);

impl Listings {
    /// The listing of a catalogue.
    pub(crate) fn of(&self, catalogue: &Arc<Catalogue>, engine: &Engine) -> Arc<[Tool]> {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, tools)) = made.iter().find(|(of, _)| Arc::ptr_eq(of, catalogue)) {
            return Arc::clone(tools);
        }
        made.retain(|(of, _)| Arc::strong_count(of) > 1);
        let tools: Arc<[Tool]> = catalogue.tools().iter().map(|listed| tool(listed, engine)).collect();
        made.push((Arc::clone(catalogue), Arc::clone(&tools)));
        tools
    }
}

fn tool(listed: &Listed, engine: &Engine) -> Tool {
    let annotations = ToolAnnotations::new()
        .read_only(listed.read_only())
        .destructive(listed.destructive())
        .idempotent(listed.spec.idempotent)
        // What most tools touch is one cluster, not the open world.
        .open_world(engine.opens(&listed.spec));
    Tool::new(
        listed.spec.name,
        listed.description.clone(),
        Arc::clone(&listed.input_schema),
    )
    .with_title(listed.title.clone())
    .with_raw_output_schema(Arc::clone(&listed.output_schema))
    .with_annotations(annotations)
}
