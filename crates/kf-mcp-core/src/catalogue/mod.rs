//! [`Catalogue`]: the tools that are left after `--clients`, persona and policy, ordered, and ready to list.

mod many;
mod tools;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use thiserror::Error;

pub use self::many::Catalogues;
pub use self::tools::Tools;
use crate::guide::Guide;
use crate::instructions::{self, Tier};
use crate::module::ClientModule;
use crate::policy::persona::Persona;
use crate::policy::{Allowance, Refusal};
use crate::schema;
use crate::tool::{Entry, Risk, ToolSpec};

/// Why a catalogue cannot be made. Each names the culprit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CatalogueError {
    /// `--clients` names something that was not compiled in.
    #[error("unknown client `{name}`: this binary has {have}{hint}")]
    UnknownClient {
        /// What was asked for.
        name: String,
        /// What there is.
        have: String,
        /// The nearest spelling, or how to get the client.
        hint: String,
    },
    /// A chosen module brought no tools: its crate was not linked, or registers under another home.
    #[error("client `{0}` was chosen but registered no tools: is its crate linked, and does `home()` name its root?")]
    Empty(&'static str),
    /// Two tools have one name.
    #[error("two tools are named `{name}`: one in {first}, one in {second}")]
    Duplicate {
        /// The name.
        name: &'static str,
        /// Where the first is.
        first: &'static str,
        /// Where the second is.
        second: &'static str,
    },
    /// A hint leads to a tool that no compiled module has.
    #[error("`{from}` hints at `{to}`, which no compiled client has")]
    Dangling {
        /// The tool with the hint.
        from: &'static str,
        /// The tool it names.
        to: &'static str,
    },
    /// A name that clients would refuse.
    #[error("tool name `{0}` is not of the form ^[a-z][a-z0-9_]{{2,39}}$")]
    BadName(&'static str),
    /// A guide that clients could not list or read.
    #[error("guide `{uri}` of `{module}`: {why}")]
    BadGuide {
        /// Whose it is.
        module: &'static str,
        /// Where it would be read.
        uri: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// One tool as a client sees it.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    /// The facts.
    #[serde(flatten)]
    pub spec: ToolSpec,
    /// Name for people.
    pub title: String,
    /// What the model reads.
    pub description: String,
    /// Arguments, as clients list them.
    pub input_schema: Arc<Map<String, Value>>,
    /// Arguments, as they are checked: `input_schema` with patterns and lengths.
    pub rules: Rules,
    /// Answer.
    pub output_schema: Arc<Map<String, Value>>,
    /// Whether it takes `confirmed` and `plan_id`.
    pub change: bool,
    #[serde(skip)]
    pub(crate) entry: EntryRef,
}

/// The schema by which arguments are checked. It is made when the first call needs it: most sessions call few tools.
#[derive(Debug, Clone)]
pub struct Rules {
    entry: EntryRef,
    made: Arc<OnceLock<Map<String, Value>>>,
}

impl Rules {
    /// The schema.
    pub fn schema(&self) -> &Map<String, Value> {
        let EntryRef(entry) = self.entry;
        self.made
            .get_or_init(|| schema::input_schema((entry.input)(), entry.change).0)
    }
}

impl Serialize for Rules {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.schema().serialize(serializer)
    }
}

/// The entry behind a listed tool.
#[derive(Clone, Copy)]
pub(crate) struct EntryRef(pub(crate) &'static Entry);

impl std::fmt::Debug for EntryRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.home)
    }
}

/// The tools of a server for one kind of caller, in the order of phase and name.
#[derive(Debug, Clone)]
pub struct Catalogue {
    all: Tools,
    allowance: Allowance,
    tools: Vec<Listed>,
    by_name: BTreeMap<&'static str, usize>,
    hidden: BTreeMap<&'static str, Hidden>,
    instructions: [String; Tier::ALL.len()],
}

/// A tool that exists and may not be used.
#[derive(Debug, Clone)]
pub struct Hidden {
    /// The tool.
    pub spec: ToolSpec,
    /// Why not.
    pub refusal: Refusal,
}

/// What to make a catalogue of, without a policy.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Names of modules.
    pub clients: Vec<String>,
    /// Who it is for.
    pub persona: Persona,
}

impl Catalogue {
    /// The chosen modules' tools, and the core's, as the persona may see them (see [`Tools::new`]).
    pub fn new(compiled: &[&'static dyn ClientModule], selection: &Selection) -> Result<Self, CatalogueError> {
        Ok(Tools::new(compiled, &selection.clients)?.catalogue_for(selection.persona))
    }

    /// A catalogue of single tools: what embedders use that take tools without a module.
    pub fn of_tools(entries: Vec<&'static Entry>, persona: Persona) -> Result<Self, CatalogueError> {
        Ok(Tools::of(entries)?.catalogue_for(persona))
    }

    /// What an allowance leaves of some tools.
    fn of(all: Tools, allowance: Allowance) -> Self {
        let (mut visible, mut hidden) = (BTreeSet::new(), BTreeMap::new());
        for spec in all.specs() {
            match allowance.tool(spec) {
                Ok(_) => {
                    visible.insert(spec.name);
                }
                Err(refusal) => {
                    hidden.insert(spec.name, Hidden { spec: *spec, refusal });
                }
            }
        }
        let tools = all.listed(&visible);
        let by_name = tools
            .iter()
            .enumerate()
            .map(|(at, tool)| (tool.spec.name, at))
            .collect();
        // A server that is told to read only says so, whatever told it.
        let reads_only = tools.iter().all(Listed::read_only);
        let offered = |word: &str| visible.contains(word) || !all.is_known(word);
        let instructions = Tier::ALL.map(|tier| instructions::text(all.modules(), reads_only, tier, offered));
        Self {
            allowance,
            tools,
            by_name,
            hidden,
            instructions,
            all,
        }
    }

    /// The tools, ordered.
    pub fn tools(&self) -> &[Listed] {
        &self.tools
    }

    /// One tool by name.
    pub fn get(&self, name: &str) -> Option<&Listed> {
        self.by_name.get(name).map(|at| &self.tools[*at])
    }

    /// Why a tool that exists in the chosen modules may not be used.
    pub fn hidden(&self, name: &str) -> Option<&Hidden> {
        self.hidden.get(name)
    }

    /// The facts of a tool, whether these callers may use it or not.
    pub fn spec(&self, name: &str) -> Option<&ToolSpec> {
        let hidden = || self.hidden(name).map(|hidden| &hidden.spec);
        self.get(name).map(|tool| &tool.spec).or_else(hidden)
    }

    /// What these callers may do.
    pub fn allowance(&self) -> &Allowance {
        &self.allowance
    }

    /// The chosen modules.
    pub fn clients(&self) -> &[&'static str] {
        self.all.clients()
    }

    /// Who the catalogue is for.
    pub fn persona(&self) -> &str {
        self.allowance.role().name()
    }

    /// What an agent should know before its first call.
    pub fn instructions(&self, tier: Tier) -> &str {
        let at = Tier::ALL.iter().position(|t| *t == tier);
        at.map_or("", |at| &self.instructions[at])
    }

    /// The guides of the chosen modules, for every persona the same.
    pub fn guides(&self) -> &[&'static Guide] {
        self.all.guides()
    }

    /// One guide by its URI.
    pub fn guide(&self, uri: &str) -> Option<&'static Guide> {
        self.guides().iter().copied().find(|guide| guide.uri == uri)
    }
}

impl Listed {
    /// MCP's `readOnlyHint`.
    pub fn read_only(&self) -> bool {
        self.spec.risk == Risk::Read
    }

    /// MCP's `destructiveHint`.
    pub fn destructive(&self) -> bool {
        self.spec.risk == Risk::Destructive
    }
}
