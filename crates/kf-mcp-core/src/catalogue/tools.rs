//! [`Tools`]: everything that a set of components offers, before any persona or policy.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use super::{Catalogue, CatalogueError, EntryRef, Listed, Rules};
use crate::guide::Guide;
use crate::module::ClientModule;
use crate::names::nearest;
use crate::policy::persona::Persona;
use crate::policy::{Allowance, Policy};
use crate::schema::{Schemas, Written};
use crate::tool::{Entry, ToolSpec};

/// The tools of the chosen modules and of the core, checked and ordered. Schemas are made when a catalogue first lists a
/// tool, and once for all catalogues. Cheap to clone.
#[derive(Clone)]
pub struct Tools(Arc<All>);

struct All {
    slots: Vec<Slot>,
    known: BTreeSet<&'static str>,
    modules: Vec<&'static dyn ClientModule>,
    clients: Vec<&'static str>,
    guides: Vec<&'static Guide>,
}

struct Slot {
    entry: &'static Entry,
    written: Option<Written>,
    made: OnceLock<Made>,
}

/// What is the same in every catalogue that lists the tool.
struct Made {
    title: String,
    schemas: Schemas,
    rules: Rules,
}

impl std::fmt::Debug for Tools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.specs().map(|spec| spec.name)).finish()
    }
}

impl Tools {
    /// The tools of the chosen modules, and the core's. `compiled` is everything that the binary has: hints may lead there
    /// even when the module was not chosen (they are then left out).
    pub fn new(compiled: &[&'static dyn ClientModule], clients: &[String]) -> Result<Self, CatalogueError> {
        let modules = choose(compiled, clients)?;
        let mut entries: Vec<&'static Entry> = crate::MODULE.tools();
        for module in &modules {
            let tools = module.tools();
            if tools.is_empty() {
                return Err(CatalogueError::Empty(module.name()));
            }
            entries.extend(tools);
        }
        let elsewhere = compiled.iter().flat_map(|module| module.tools());
        let all = entries.iter().copied().chain(elsewhere);
        let known = all.map(|entry| entry.spec.name).collect();
        let guides = guides(&modules)?;
        let mut written = Written::of_module(&crate::MODULE);
        for module in &modules {
            written.append(&mut Written::of_module(*module));
        }
        Self::checked(entries, known, modules, guides, written)
    }

    /// Single tools, without a module. An embedder takes the tools it wants; hints to others are left out of the listing.
    pub fn of(entries: Vec<&'static Entry>) -> Result<Self, CatalogueError> {
        let hinted = entries.iter().flat_map(|entry| entry.spec.next).map(|next| next.tool);
        let known = hinted.chain(entries.iter().map(|entry| entry.spec.name)).collect();
        Self::checked(entries, known, Vec::new(), Vec::new(), BTreeMap::new())
    }

    fn checked(
        mut entries: Vec<&'static Entry>,
        known: BTreeSet<&'static str>,
        modules: Vec<&'static dyn ClientModule>,
        guides: Vec<&'static Guide>,
        mut written: BTreeMap<&'static str, Written>,
    ) -> Result<Self, CatalogueError> {
        // Link order means nothing; this order is part of what clients cache.
        entries.sort_by_key(|entry| (entry.spec.phase, entry.spec.name));
        check(&entries, &known)?;
        let slots = entries.into_iter().map(|entry| Slot {
            entry,
            written: written.remove(entry.spec.name),
            made: OnceLock::new(),
        });
        Ok(Self(Arc::new(All {
            slots: slots.collect(),
            known,
            clients: modules.iter().map(|module| module.name()).collect(),
            modules,
            guides,
        })))
    }

    /// The facts of all tools, ordered by phase and name.
    pub fn specs(&self) -> impl Iterator<Item = &'static ToolSpec> {
        self.0.slots.iter().map(|slot| &slot.entry.spec)
    }

    /// What an allowance leaves of them.
    pub fn catalogue(&self, allowance: Allowance) -> Catalogue {
        Catalogue::of(self.clone(), allowance)
    }

    /// What a built-in persona may use of them, without a policy.
    pub fn catalogue_for(&self, persona: Persona) -> Catalogue {
        self.catalogue(Arc::new(Policy::default()).allowance(persona.into()))
    }

    pub(super) fn clients(&self) -> &[&'static str] {
        &self.0.clients
    }

    pub(super) fn modules(&self) -> &[&'static dyn ClientModule] {
        &self.0.modules
    }

    pub(super) fn guides(&self) -> &[&'static Guide] {
        &self.0.guides
    }

    /// Whether a word is the name of a tool that the binary has, chosen or not.
    pub(super) fn is_known(&self, word: &str) -> bool {
        self.0.known.contains(word)
    }

    /// The visible ones as clients see them, with hints to one another.
    pub(super) fn listed(&self, visible: &BTreeSet<&'static str>) -> Vec<Listed> {
        let slots = self.0.slots.iter();
        slots
            .filter(|slot| visible.contains(slot.entry.spec.name))
            .map(|slot| slot.listed(visible))
            .collect()
    }
}

impl Slot {
    fn listed(&self, visible: &BTreeSet<&'static str>) -> Listed {
        let entry = self.entry;
        let made = self.made.get_or_init(|| Made::of(entry, self.written));
        let hints = entry.spec.next.iter().map(|next| next.tool);
        let next: Vec<&str> = hints.filter(|tool| visible.contains(tool)).collect();
        let mut description = made.schemas.description.clone();
        if !next.is_empty() {
            description.push_str(&format!(" Next: {}.", next.join(", ")));
        }
        Listed {
            spec: entry.spec,
            title: made.title.clone(),
            description,
            input_schema: Arc::clone(&made.schemas.input),
            rules: made.rules.clone(),
            output_schema: Arc::clone(&made.schemas.output),
            change: entry.change,
            entry: EntryRef(entry),
        }
    }
}

impl Made {
    fn of(entry: &'static Entry, written: Option<Written>) -> Self {
        Self {
            title: entry.spec.title(),
            schemas: written
                .and_then(Written::read)
                .unwrap_or_else(|| Schemas::of_types(entry)),
            rules: Rules {
                entry: EntryRef(entry),
                made: Arc::default(),
            },
        }
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
