//! Named worlds: what is in the cluster, who may do what, and which faults are switched on.

mod columns;
mod file;
mod play;
mod schemas;
mod thousand;

use jiff::Timestamp;
use serde_json::Value;

use crate::registry::Registry;
use crate::release::Release;
#[cfg(test)]
pub(crate) use columns::printer_columns;
use file::File;

/// A world to start from.
#[derive(Debug, Clone, Default)]
pub struct Scenario {
    /// Objects, with times already made absolute, owners before what they own.
    pub objects: Vec<Value>,
    /// Requests that are refused, as `verb resource[/subresource][@namespace]` patterns; `*` matches anything.
    pub forbidden: Vec<String>,
    /// The Model Registry.
    pub registry: Registry,
    /// The namespace that a new user looks at first.
    pub default_namespace: String,
    /// Which Trainer is installed.
    pub trainer: Release,
}

/// An unknown scenario, or a bad parameter of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ScenarioError(pub String);

const BASE: &str = include_str!("../scenarios/base.yaml");
const RUNTIMES: &str = include_str!("../scenarios/runtimes.yaml");
const SHOWCASE: &str = include_str!("../scenarios/showcase.yaml");
const KATIB: &str = include_str!("../scenarios/katib.yaml");
const REGISTRY: &str = include_str!("../scenarios/registry.yaml");
const LEGACY: &str = include_str!("../scenarios/legacy.yaml");
const NO_RBAC: &str = include_str!("../scenarios/no-rbac.yaml");

/// The names of all scenarios, the default first.
pub fn names() -> &'static [&'static str] {
    &[
        "showcase",
        "healthy-empty",
        "no-trainer",
        "no-rbac",
        "legacy",
        "thousand",
    ]
}

/// Loads a scenario by its name, with parameters after a question mark: `thousand?jobs=10000`, `healthy-empty?trainer=v2.1`.
pub fn load(name: &str, now: Timestamp) -> Result<Scenario, ScenarioError> {
    let (name, query) = name.split_once('?').unwrap_or((name, ""));
    if !names().contains(&name) {
        let nearest = nearest(name, names())
            .map(|n| format!(" Did you mean `{n}`?"))
            .unwrap_or_default();
        let all = names().join(", ");
        return Err(ScenarioError(format!(
            "there is no scenario `{name}`.{nearest} Scenarios: {all}."
        )));
    }
    let Parameters { jobs, trainer } = parameters(name, query)?;
    let layers: &[&str] = match name {
        "healthy-empty" | "thousand" => &[BASE, RUNTIMES],
        "no-trainer" => &[BASE],
        "legacy" => &[BASE, RUNTIMES, LEGACY],
        "no-rbac" => &[BASE, RUNTIMES, SHOWCASE, KATIB, REGISTRY, NO_RBAC],
        _ => &[BASE, RUNTIMES, SHOWCASE, KATIB, REGISTRY],
    };
    let mut world = File::default();
    for layer in layers {
        world.add(File::parse(layer)?);
    }
    if name == "no-trainer" {
        world.without_trainer();
    } else {
        world.objects.extend(file::definitions(trainer, name == "legacy"));
        world.installed(trainer);
    }
    let mut scenario = play::play(&world, now)?;
    scenario.trainer = trainer;
    if name == "thousand" {
        scenario.objects.extend(thousand::jobs(jobs, now));
        scenario.default_namespace = "default".to_owned();
    }
    Ok(scenario)
}

/// What may be said of a scenario.
struct Parameters {
    /// Jobs of `thousand`.
    jobs: usize,
    /// Which Trainer is installed.
    trainer: Release,
}

/// Reads what is said of a scenario: each has at most one parameter.
fn parameters(scenario: &str, query: &str) -> Result<Parameters, ScenarioError> {
    let mut given = Parameters {
        jobs: 1_000,
        trainer: Release::default(),
    };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        match (scenario, key) {
            ("thousand", "jobs") => given.jobs = jobs(value)?,
            ("healthy-empty", "trainer") => given.trainer = trainer(value)?,
            ("thousand" | "healthy-empty", _) => {
                let known = if scenario == "thousand" { "jobs" } else { "trainer" };
                let nearest = nearest(key, &[known])
                    .map(|n| format!(" Did you mean `{n}`?"))
                    .unwrap_or_default();
                let text = format!("scenario `{scenario}` has no parameter `{key}`.{nearest} Parameters: {known}.");
                return Err(ScenarioError(text));
            }
            _ => {
                return Err(ScenarioError(format!(
                    "scenario `{scenario}` takes no parameters, got `{key}`."
                )));
            }
        }
    }
    Ok(given)
}

fn jobs(value: &str) -> Result<usize, ScenarioError> {
    let jobs = value.parse().ok().filter(|jobs| (1..=100_000).contains(jobs));
    jobs.ok_or_else(|| {
        ScenarioError(format!(
            "`jobs` of scenario `thousand` must be a number from 1 to 100000, got `{value}`."
        ))
    })
}

fn trainer(value: &str) -> Result<Release, ScenarioError> {
    let found = Release::ALL.into_iter().find(|(name, _)| *name == value);
    found.map(|(_, release)| release).ok_or_else(|| {
        let names = Release::ALL.map(|(name, _)| name).join(", ");
        ScenarioError(format!(
            "`trainer` of scenario `healthy-empty` must be one of {names}, got `{value}`."
        ))
    })
}

/// The candidate that is fewest edits away, if it is near at all.
fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let (distance, best) = candidates
        .iter()
        .map(|candidate| (edits(word, candidate), *candidate))
        .min()?;
    (distance <= best.len() / 2).then_some(best)
}

/// Levenshtein distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let cost = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests;
