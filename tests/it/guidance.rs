//! Instructions and guides: how long they are, and that every tool, argument and resource in them exists. The same for
//! what tools themselves say.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use kf_mcp_core::{Catalogue, ErrorCode, Persona, Selection, Tier};
use kf_mcp_tests::MODULES;
use regex::Regex;
use serde_json::Value;

use crate::words::{literals, root};

/// Names of KEP-936, of its prototypes and of the SDK that the guide `coming-from` must lead on.
const ELSEWHERE: &[&str] = &[
    "check_prerequisites",
    "validate_config",
    "validate_job_exists",
    "get_job_spec",
    "get_cluster_info",
    "get_job_metrics",
    "get_runtime_packages",
    "suspend_job",
    "resume_job",
    "suspend_training_job",
    "resume_training_job",
    "run_container_job",
    "list_checkpoints",
    "restore_checkpoint",
    "register_model",
    "list_registered_models",
    "list_jobs",
    "get_job",
    "get_job_logs",
    "get_job_events",
    "wait_for_job_status",
    "delete_job",
];

/// A tool, an argument or a code, as it is written.
static NAME: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b").unwrap());
static RESOURCE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"kubeflow://[a-z0-9][a-z0-9/_-]*").unwrap());

fn catalogue(clients: &[&str], persona: Persona) -> Catalogue {
    let clients = clients.iter().map(|name| (*name).to_owned()).collect();
    Catalogue::new(MODULES, &Selection { clients, persona }).unwrap()
}

fn all() -> Catalogue {
    catalogue(&["trainer", "optimizer", "hub"], Persona::PlatformAdmin)
}

fn tools() -> BTreeSet<String> {
    all().tools().iter().map(|tool| tool.spec.name.to_owned()).collect()
}

/// The names of properties, at any depth.
fn properties(schema: &Value, out: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Object(named)) = map.get("properties") {
                out.extend(named.keys().cloned());
            }
            map.values().for_each(|inner| properties(inner, out));
        }
        Value::Array(items) => items.iter().for_each(|inner| properties(inner, out)),
        _ => {}
    }
}

/// Everything a text may name: tools, their arguments, the fields of their answers, codes of errors.
fn known() -> BTreeSet<String> {
    let mut known = tools();
    for tool in all().tools() {
        properties(&Value::Object((*tool.input_schema).clone()), &mut known);
        properties(&Value::Object((*tool.output_schema).clone()), &mut known);
    }
    let codes = [
        ErrorCode::NotFound,
        ErrorCode::AlreadyExists,
        ErrorCode::StalePlan,
        ErrorCode::DeniedByPolicy,
        ErrorCode::AdmissionDenied,
        ErrorCode::NotInstalled,
    ];
    known.extend(codes.map(|code| code.as_str().to_owned()));
    known
}

fn names(text: &str) -> impl Iterator<Item = &str> {
    NAME.find_iter(text).map(|found| found.as_str())
}

#[test]
fn a_guide_names_only_what_exists() {
    let (catalogue, known) = (all(), known());
    let foreign: BTreeSet<&str> = ELSEWHERE.iter().copied().collect();
    let mut unknown = Vec::new();
    for guide in catalogue.guides() {
        for line in guide.text.lines() {
            // the first column of the tables there has the names that others give
            let text = match line.strip_prefix('|').and_then(|row| row.split_once('|')) {
                Some((_, ours)) if guide.name == "coming-from" => ours,
                _ => line,
            };
            let odd = names(text).filter(|name| !known.contains(*name) && !foreign.contains(name));
            unknown.extend(odd.map(|name| format!("{}: {name}", guide.name)));
        }
        let words = guide.text.split_whitespace().count();
        assert!((200..=900).contains(&words), "{}: {words} words", guide.name);
        assert!(guide.text.starts_with("# "), "{} has no heading", guide.name);
        for (at, line) in guide.text.lines().enumerate() {
            assert!(line.chars().count() <= 220, "{}:{}: a long line", guide.name, at + 1);
        }
    }
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
    let mut listed: Vec<&str> = catalogue.guides().iter().map(|guide| guide.name).collect();
    listed.sort_unstable();
    assert_eq!(
        listed,
        ["coming-from", "runtimes", "sizing", "troubleshooting", "workflow"]
    );
}

#[test]
fn every_guide_that_lies_in_the_folder_is_listed() {
    let folder = root().join("crates/kf-mcp-trainer/guides");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    let listed: BTreeSet<String> = all()
        .guides()
        .iter()
        .map(|guide| format!("{}.md", guide.name))
        .collect();
    assert_eq!(files, listed);
}

/// Every name of the KEP, of the prototypes and of the Python peer leads somewhere.
#[test]
fn names_from_elsewhere_lead_on() {
    let catalogue = all();
    let text = catalogue.guide("kubeflow://trainer/guides/coming-from").unwrap().text;
    let known = known();
    for name in ELSEWHERE {
        let row = text.lines().find(|line| names(line).any(|word| word == *name));
        let row = row.unwrap_or_else(|| panic!("{name} is not in the guide"));
        // what is not there is told in a sentence
        let leads = names(row).any(|word| known.contains(word));
        assert!(leads || row.contains("not there yet"), "{row}");
        assert!(!known.contains(*name), "{name} is a tool here: it needs no row");
    }
    let peer: Vec<Value> = serde_json::from_str(include_str!("../fixtures/peer_tools.json")).unwrap();
    for tool in &peer {
        let name = tool["name"].as_str().unwrap();
        assert!(
            known.contains(name),
            "the guide says that {name} has the same name here"
        );
    }
}

#[test]
fn instructions_keep_their_length_and_name_what_this_caller_has() {
    let known = known();
    let bpe = tiktoken_rs::o200k_base().unwrap();
    for persona in Persona::ALL {
        let trainer = catalogue(&["trainer"], persona);
        for (tier, most) in [(Tier::Minimal, 120), (Tier::Compact, 350), (Tier::Full, 900)] {
            let text = trainer.instructions(tier);
            let tokens = bpe.encode_ordinary(text).len();
            assert!(tokens <= most, "{tier} for {persona}: {tokens} tokens of {most}");
            assert!(
                text.contains("kubeflow://trainer/guides/workflow"),
                "{tier} for {persona}"
            );
            for name in names(text) {
                assert!(known.contains(name), "{tier} for {persona} names {name}");
                let is_tool = tools().contains(name);
                assert!(
                    !is_tool || trainer.get(name).is_some(),
                    "{tier} tells {persona} of {name}"
                );
            }
            assert_eq!(
                text.contains("plan_id"),
                persona != Persona::Readonly,
                "{tier} for {persona}"
            );
        }
    }
    // Three components at once, in the tier that nobody has to ask for.
    let three = bpe.encode_ordinary(all().instructions(Tier::default())).len();
    assert!(three <= 450, "{three} tokens");
}

#[test]
fn instructions_are_as_they_were_read() {
    let readonly = catalogue(&["trainer"], Persona::Readonly);
    let admin = catalogue(&["trainer"], Persona::PlatformAdmin);
    let shown = [
        (&readonly, Tier::Minimal),
        (&admin, Tier::Minimal),
        (&readonly, Tier::Compact),
        (&admin, Tier::Compact),
    ]
    .map(|(catalogue, tier)| {
        format!(
            "## {tier} for {}\n{}",
            catalogue.persona(),
            catalogue.instructions(tier)
        )
    });
    insta::assert_snapshot!(shown.join("\n\n"));
}

/// What errors, hints and answers say, as it is written in the sources. Words that begin like a tool must be one.
#[test]
fn what_the_sources_say_exists() {
    let (known, catalogue) = (known(), all());
    let verbs: BTreeSet<String> = tools().iter().map(|tool| first(tool).to_owned()).collect();
    let mut wrong = Vec::new();
    for name in [
        "kf-mcp-core",
        "kf-mcp-server",
        "kf-mcp-trainer",
        "kf-mcp-trainjob",
        "kf-mcp-optimizer",
        "kf-mcp-hub",
    ] {
        for said in literals(name) {
            let tool_like = names(&said.text).filter(|word| verbs.contains(first(word)) && !known.contains(*word));
            wrong.extend(tool_like.map(|word| format!("{}: {word}", said.file.display())));
            let lost = resources(&said.text).filter(|uri| catalogue.guide(uri).is_none());
            wrong.extend(lost.map(|uri| format!("{}: {uri}", said.file.display())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_resource_that_a_text_names_exists() {
    let catalogue = all();
    let mut texts: Vec<(String, String)> = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/tools.md"]
        .map(|file| (file.to_owned(), std::fs::read_to_string(root().join(file)).unwrap()))
        .into();
    texts.extend(
        catalogue
            .guides()
            .iter()
            .map(|guide| (guide.uri.to_owned(), guide.text.to_owned())),
    );
    texts.extend(Tier::ALL.map(|tier| (tier.to_string(), catalogue.instructions(tier).to_owned())));
    texts.extend(
        catalogue
            .tools()
            .iter()
            .map(|tool| (tool.spec.name.to_owned(), tool.description.clone())),
    );
    let mut found = 0;
    for (place, text) in &texts {
        for uri in resources(text) {
            assert!(catalogue.guide(uri).is_some(), "{place} names {uri}");
            found += 1;
        }
    }
    assert!(found >= 10, "only {found} mentions were found");
}

fn first(name: &str) -> &str {
    name.split('_').next().unwrap_or_default()
}

fn resources(text: &str) -> impl Iterator<Item = &str> {
    RESOURCE.find_iter(text).map(|found| found.as_str())
}
