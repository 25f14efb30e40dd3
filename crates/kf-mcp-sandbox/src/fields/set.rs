//! Sets of fields, as trees of steps.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::step::Step;
use super::types::{Form, Shape};

/// A set of paths. A path can be in the set without what is below it, and the other way round.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Set {
    members: BTreeSet<Step>,
    children: BTreeMap<Step, Set>,
}

impl Set {
    /// The set of these paths of fields, each written with dots.
    pub(crate) fn of(paths: &[&str]) -> Self {
        let mut set = Self::default();
        for path in paths {
            set.insert(&path.split('.').map(Step::field).collect::<Vec<_>>());
        }
        set
    }

    /// Adds a path; the empty one, the whole object, belongs to nobody.
    pub(super) fn insert(&mut self, path: &[Step]) {
        match path {
            [] => {}
            [last] => {
                self.members.insert(last.clone());
            }
            [first, rest @ ..] => self.children.entry(first.clone()).or_default().insert(rest),
        }
    }

    /// Adds a step and what is below it.
    pub(super) fn graft(&mut self, step: Step, itself: bool, below: Self) {
        if !below.is_empty() {
            self.children.insert(step.clone(), below);
        }
        if itself {
            self.members.insert(step);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty() && self.children.values().all(Self::is_empty)
    }

    /// Whether a single step is in the set.
    pub(super) fn has(&self, step: &Step) -> bool {
        self.members.contains(step)
    }

    /// Whether a path is in the set.
    pub(super) fn contains(&self, path: &[Step]) -> bool {
        match path {
            [] => false,
            [last] => self.members.contains(last),
            [first, rest @ ..] => self.children.get(first).is_some_and(|below| below.contains(rest)),
        }
    }

    /// What is below a step.
    pub(super) fn below(&self, step: &Step) -> Option<&Self> {
        self.children.get(step).filter(|below| !below.is_empty())
    }

    pub(super) fn union(&self, other: &Self) -> Self {
        let mut all = self.clone();
        all.members.extend(other.members.iter().cloned());
        for (step, below) in &other.children {
            let joined = all
                .children
                .get(step)
                .map_or_else(|| below.clone(), |own| own.union(below));
            all.children.insert(step.clone(), joined);
        }
        all
    }

    pub(super) fn intersection(&self, other: &Self) -> Self {
        let both = self.children.iter().filter_map(|(step, below)| {
            let common = below.intersection(other.children.get(step)?);
            (!common.is_empty()).then(|| (step.clone(), common))
        });
        Self {
            members: self.members.intersection(&other.members).cloned().collect(),
            children: both.collect(),
        }
    }

    /// What is in this set and not in the other; a path's absence says nothing about what is below it.
    pub(super) fn difference(&self, other: &Self) -> Self {
        self.minus(other, false)
    }

    /// Like [`Set::difference`], and what is below a path of the other set goes too.
    pub(super) fn without(&self, other: &Self) -> Self {
        self.minus(other, true)
    }

    fn minus(&self, other: &Self, deep: bool) -> Self {
        let left = self
            .children
            .iter()
            .filter(|(step, _)| !(deep && other.members.contains(step)));
        let left = left.filter_map(|(step, below)| {
            let below = match other.children.get(step) {
                Some(gone) => below.minus(gone, deep),
                None => below.clone(),
            };
            (!below.is_empty()).then(|| (step.clone(), below))
        });
        Self {
            members: self.members.difference(&other.members).cloned().collect(),
            children: left.collect(),
        }
    }

    /// With the listed fields above each path, which are not in sets by themselves.
    pub(super) fn with_named(&self, shape: Shape<'_>) -> Self {
        let (map, list) = match shape.form(None) {
            Form::Map(map) => (Some(map), None),
            Form::List(list) => (None, Some(list)),
            Form::Scalar(_) => (None, None),
        };
        let mut all = Self {
            members: self.members.clone(),
            children: BTreeMap::new(),
        };
        for (step, below) in &self.children {
            let inner = match (step, map, list) {
                (Step::Field(name), Some(map), _) => {
                    if map.names(name) {
                        all.members.insert(step.clone());
                    }
                    map.field(name)
                }
                (Step::Key(_), _, Some(list)) => Some(list.item),
                _ => None,
            };
            let below = inner.map_or_else(|| below.clone(), |inner| below.with_named(inner));
            all.children.insert(step.clone(), below);
        }
        all
    }

    /// All paths: what is at a place before what is deeper.
    pub(super) fn paths(&self) -> Vec<Vec<Step>> {
        let mut all = Vec::new();
        self.walk(&mut Vec::new(), &mut all);
        all
    }

    fn walk(&self, path: &mut Vec<Step>, all: &mut Vec<Vec<Step>>) {
        for step in &self.members {
            all.push(path.iter().chain([step]).cloned().collect());
        }
        for (step, below) in &self.children {
            path.push(step.clone());
            below.walk(path, all);
            path.pop();
        }
    }

    /// The set as `fieldsV1`.
    pub(super) fn write(&self) -> Value {
        let mut map = Map::new();
        for step in &self.members {
            map.insert(step.write(), json!({}));
        }
        for (step, below) in self.children.iter().filter(|(_, below)| !below.is_empty()) {
            let mut inner = below.write();
            if self.members.contains(step) {
                inner["."] = json!({});
            }
            map.insert(step.write(), inner);
        }
        Value::Object(map)
    }

    /// The set behind `fieldsV1`.
    pub(super) fn read(fields: &Value) -> Self {
        let mut set = Self::default();
        for (key, inner) in fields.as_object().into_iter().flatten() {
            let Some(step) = Step::read(key) else { continue };
            let below = Self::read(inner);
            // an empty map is a leaf, a dot says that a branch is a member as well
            let itself = inner.get(".").is_some() || below.is_empty();
            set.graft(step, itself, below);
        }
        set
    }
}
