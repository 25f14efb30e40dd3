//! [`Catalogue`]: the tools that are left after `--clients` and the persona, checked, ordered, and ready to list.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::guide::Guide;
use crate::instructions::{self, Tier};
use crate::module::ClientModule;
use crate::names::nearest;
use crate::policy::persona::Persona;
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

/// The tools of a server, in the order of phase and name.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    tools: Vec<Listed>,
    by_name: BTreeMap<&'static str, usize>,
    hidden: BTreeMap<&'static str, ToolSpec>,
    clients: Vec<&'static str>,
    guides: Vec<&'static Guide>,
    instructions: [String; Tier::ALL.len()],
    persona: Persona,
}

/// What to make a catalogue of.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Names of modules.
    pub clients: Vec<String>,
    /// Who it is for.
    pub persona: Persona,
}

impl Catalogue {
    /// The chosen modules' tools, and the core's, as the persona may see them. `compiled` is everything that the binary
    /// has: hints may lead there even when the module was not chosen (they are then left out).
    pub fn new(compiled: &[&'static dyn ClientModule], selection: &Selection) -> Result<Self, CatalogueError> {
        let chosen = choose(compiled, &selection.clients)?;
        let mut entries: Vec<&'static Entry> = crate::MODULE.tools();
        for module in &chosen {
            let tools = module.tools();
            if tools.is_empty() {
                return Err(CatalogueError::Empty(module.name()));
            }
            entries.extend(tools);
        }
        let elsewhere = compiled.iter().flat_map(|module| module.tools());
        let known: BTreeSet<&'static str> = entries
            .iter()
            .copied()
            .chain(elsewhere)
            .map(|entry| entry.spec.name)
            .collect();
        let mut catalogue = Self::of_entries(entries, &known, selection.persona)?;
        catalogue.clients = chosen.iter().map(|module| module.name()).collect();
        catalogue.guides = guides(&chosen)?;
        let offered = |word: &str| catalogue.get(word).is_some() || !known.contains(word);
        catalogue.instructions = Tier::ALL.map(|tier| instructions::text(&chosen, selection.persona, tier, offered));
        Ok(catalogue)
    }

    /// A catalogue of single tools: what embedders use that take tools without a module.
    pub fn of_tools(entries: Vec<&'static Entry>, persona: Persona) -> Result<Self, CatalogueError> {
        // An embedder takes the tools it wants; hints to others are left out of the listing.
        let known = entries
            .iter()
            .flat_map(|e| e.spec.next)
            .map(|n| n.tool)
            .chain(entries.iter().map(|e| e.spec.name));
        let known = known.collect();
        Self::of_entries(entries, &known, persona)
    }

    fn of_entries(
        mut entries: Vec<&'static Entry>,
        known: &BTreeSet<&'static str>,
        persona: Persona,
    ) -> Result<Self, CatalogueError> {
        // Link order means nothing; this order is part of what clients cache.
        entries.sort_by_key(|entry| (entry.spec.phase, entry.spec.name));
        check(&entries, known)?;
        let visible: BTreeSet<&'static str> = entries
            .iter()
            .filter(|entry| persona.may(&entry.spec))
            .map(|entry| entry.spec.name)
            .collect();
        let mut catalogue = Self {
            persona,
            ..Self::default()
        };
        for entry in entries {
            if visible.contains(entry.spec.name) {
                catalogue.by_name.insert(entry.spec.name, catalogue.tools.len());
                catalogue.tools.push(listed(entry, &visible));
            } else {
                catalogue.hidden.insert(entry.spec.name, entry.spec);
            }
        }
        Ok(catalogue)
    }

    /// The tools, ordered.
    pub fn tools(&self) -> &[Listed] {
        &self.tools
    }

    /// One tool by name.
    pub fn get(&self, name: &str) -> Option<&Listed> {
        self.by_name.get(name).map(|at| &self.tools[*at])
    }

    /// A tool that exists in the chosen modules but that this persona may not use.
    pub fn hidden(&self, name: &str) -> Option<&ToolSpec> {
        self.hidden.get(name)
    }

    /// The chosen modules.
    pub fn clients(&self) -> &[&'static str] {
        &self.clients
    }

    /// Who the catalogue is for.
    pub fn persona(&self) -> Persona {
        self.persona
    }

    /// What an agent should know before its first call.
    pub fn instructions(&self, tier: Tier) -> &str {
        let at = Tier::ALL.iter().position(|t| *t == tier);
        at.map_or("", |at| &self.instructions[at])
    }

    /// The guides of the chosen modules, for every persona the same.
    pub fn guides(&self) -> &[&'static Guide] {
        &self.guides
    }

    /// One guide by its URI.
    pub fn guide(&self, uri: &str) -> Option<&'static Guide> {
        self.guides.iter().copied().find(|guide| guide.uri == uri)
    }
}

fn choose(
    compiled: &[&'static dyn ClientModule],
    names: &[String],
) -> Result<Vec<&'static dyn ClientModule>, CatalogueError> {
    let have: Vec<&str> = compiled.iter().map(|module| module.name()).collect();
    for name in names {
        if !have.contains(&name.as_str()) {
            let hint = match nearest(name, have.iter().copied()) {
                Some(near) => format!("; did you mean `{near}`?"),
                None => "; other clients need a build with their cargo feature".to_owned(),
            };
            let have = if have.is_empty() {
                "no clients".to_owned()
            } else {
                have.join(", ")
            };
            return Err(CatalogueError::UnknownClient {
                name: name.clone(),
                have,
                hint,
            });
        }
    }
    Ok(compiled
        .iter()
        .copied()
        .filter(|module| names.iter().any(|name| name == module.name()))
        .collect())
}

/// The guides of the modules, each at its own URI.
fn guides(modules: &[&'static dyn ClientModule]) -> Result<Vec<&'static Guide>, CatalogueError> {
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for module in modules {
        for guide in module.guides() {
            let twice = (!seen.insert(guide.uri)).then_some("there are two of them");
            if let Some(why) = guide.breach(module.name()).or(twice) {
                return Err(CatalogueError::BadGuide {
                    module: module.name(),
                    uri: guide.uri,
                    why,
                });
            }
            all.push(guide);
        }
    }
    Ok(all)
}

fn check(entries: &[&'static Entry], known: &BTreeSet<&'static str>) -> Result<(), CatalogueError> {
    let mut seen: BTreeMap<&'static str, &'static str> = BTreeMap::new();
    for entry in entries {
        let name = entry.spec.name;
        let mut bytes = name.bytes();
        let good = (3..=40).contains(&name.len())
            && bytes.next().is_some_and(|first| first.is_ascii_lowercase())
            && bytes.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_');
        if !good {
            return Err(CatalogueError::BadName(name));
        }
        if let Some(first) = seen.insert(name, entry.home) {
            return Err(CatalogueError::Duplicate {
                name,
                first,
                second: entry.home,
            });
        }
        if let Some(next) = entry.spec.next.iter().find(|next| !known.contains(next.tool)) {
            return Err(CatalogueError::Dangling {
                from: name,
                to: next.tool,
            });
        }
    }
    Ok(())
}

fn listed(entry: &'static Entry, visible: &BTreeSet<&'static str>) -> Listed {
    let (rules, mut description) = schema::input_schema((entry.input)(), entry.change);
    let next: Vec<&str> = entry
        .spec
        .next
        .iter()
        .map(|next| next.tool)
        .filter(|tool| visible.contains(tool))
        .collect();
    if !next.is_empty() {
        description.push_str(&format!(" Next: {}.", next.join(", ")));
    }
    Listed {
        spec: entry.spec,
        title: entry.spec.title(),
        description,
        input_schema: Arc::new(schema::listed(rules)),
        rules: Rules {
            entry: EntryRef(entry),
            made: Arc::default(),
        },
        output_schema: Arc::new(schema::output_schema((entry.output)())),
        change: entry.change,
        entry: EntryRef(entry),
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
