//! The core of kubeflow-mcp: what every component shares. It knows no component and no wire.
//!
//! A tool is a type ([`Tool`], or [`Change`] when it alters the cluster); a component is a crate of tools
//! ([`ClientModule`]); the [`Catalogue`] is what is left of them for one kind of user; the [`Engine`] runs a call from its
//! name and arguments to its [`Answer`]. Every request of a call passes the [gate](kube::gate).

mod access;
mod allowed;
pub mod answer;
pub mod arguments;
pub mod audit;
pub mod backend;
pub mod call;
pub mod caller;
pub mod catalogue;
pub mod config;
pub mod cx;
pub mod error;
pub mod guide;
pub mod instructions;
pub mod kube;
pub mod module;
pub mod names;
pub mod paging;
mod parse;
pub mod policy;
pub mod rbac;
pub mod redact;
pub mod schema;
pub mod telemetry;
pub mod text;
pub mod tool;
mod tools;

pub use allowed::Allowed;
pub use answer::{Answer, Image, Question, Render, render_json};
pub use call::{CallMeta, Called, Engine, EngineOptions, Person, Reply};
pub use caller::{Caller, Identity, Principal};
pub use catalogue::{Catalogue, CatalogueError, Catalogues, Listed, Selection, Tools};
pub use cx::{Clock, Cx, Progress, ProgressSink, Scope};
pub use error::{ErrorCode, ToolError};
pub use guide::Guide;
pub use instructions::Tier;
pub use module::{Check, ClientModule, Setting};
pub use names::{Namespace, NamespaceOrAll, ObjectName};
pub use policy::Policy;
pub use policy::persona::Persona;
pub use redact::Redacted;
pub use text::Text;
pub use tool::{Access, Change, Confirmation, Cost, Entry, Need, Next, Opens, Phase, Place, Risk, Tool, ToolSpec};

/// What the macros of this crate expand to. Not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use inventory;
}

/// The core's own tools: they are in every catalogue.
pub static MODULE: Core = Core;

/// The module of the core's own tools.
#[derive(Debug)]
pub struct Core;

impl ClientModule for Core {
    fn name(&self) -> &'static str {
        "core"
    }
    fn about(&self) -> &'static str {
        "health of this server, its logs, and the namespaces of the caller"
    }
    fn home(&self) -> &'static str {
        module_path!()
    }
    fn schemas(&self) -> Option<&'static str> {
        Some(include_str!("schemas.json"))
    }
}
