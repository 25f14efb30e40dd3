//! What a catalogue refuses, and what it lists.

use kf_mcp_core::{
    Catalogue, CatalogueError, ClientModule, Cx, Entry, Next, Persona, Phase, Render, Selection, Text, Tool, ToolError,
    ToolSpec,
};
use kf_mcp_tests::MODULES;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

fn names(clients: &[&str], persona: Persona) -> Vec<String> {
    let clients = clients.iter().map(|c| (*c).to_owned()).collect();
    let catalogue = Catalogue::new(MODULES, &Selection { clients, persona }).unwrap();
    catalogue
        .tools()
        .iter()
        .map(|tool| {
            format!(
                "{} {} {}",
                tool.spec.phase.as_str(),
                tool.spec.name,
                tool.spec.risk.as_str()
            )
        })
        .collect()
}

#[test]
fn each_set_of_clients_lists_its_tools_and_the_cores() {
    for (name, clients) in [
        ("trainer", &["trainer"][..]),
        ("optimizer", &["optimizer"]),
        ("hub", &["hub"]),
        ("none", &[]),
        ("all", &["trainer", "optimizer", "hub"]),
    ] {
        insta::assert_snapshot!(
            format!("catalogue_{name}"),
            names(clients, Persona::PlatformAdmin).join("\n")
        );
    }
}

#[test]
fn readonly_lists_only_what_reads() {
    let listed = names(&["trainer", "optimizer", "hub"], Persona::Readonly);
    assert!(listed.len() > 10);
    assert!(listed.iter().all(|tool| tool.ends_with(" read")), "{listed:?}");
}

#[test]
fn schemas_in_writing_are_what_the_types_say() {
    for kept in kf_mcp_tests::schemas::kept() {
        let has = kept.has.unwrap_or_default();
        let mut lines = has.lines().zip(kept.ought.lines());
        let first = lines.find(|(has, ought)| has != ought);
        assert!(
            has == kept.ought,
            "{} is out of date: run `cargo xtask docs`. The first line that differs: {first:?}",
            kept.file.display()
        );
    }
}

#[derive(Debug, Serialize, JsonSchema)]
struct Nothing {}

impl Render for Nothing {
    fn render(&self, _: &mut Text) {}
}

macro_rules! tool {
    ($type:ident, $name:literal $(, $next:literal)?) => {
        /// Does nothing at all, for a test.
        #[derive(Deserialize, JsonSchema)]
        struct $type {}
        impl Tool for $type {
            type Output = Nothing;
            const SPEC: ToolSpec = ToolSpec::read($name, Phase::Discovery)$(.next(&[Next::to($next, "never")]))?;
            async fn run(self, _: &Cx) -> Result<Nothing, ToolError> {
                Ok(Nothing {})
            }
        }
    };
}

tool!(Twin, "list_models");
tool!(BadName, "List-Models");
tool!(Dangling, "get_nothing", "get_what_nobody_has");

struct Odd(&'static str, fn() -> Vec<&'static Entry>);

impl ClientModule for Odd {
    fn name(&self) -> &'static str {
        self.0
    }
    fn about(&self) -> &'static str {
        "a module for a test"
    }
    fn home(&self) -> &'static str {
        "odd"
    }
    fn tools(&self) -> Vec<&'static Entry> {
        (self.1)()
    }
}

static EMPTY: Odd = Odd("empty", Vec::new);
static TWIN: Odd = Odd("twin", || vec![const { &Entry::tool::<Twin>("odd::twin") }]);
static BAD: Odd = Odd("bad", || vec![const { &Entry::tool::<BadName>("odd::bad") }]);
static DANGLING: Odd = Odd("dangling", || vec![const { &Entry::tool::<Dangling>("odd::dangling") }]);

#[test]
fn the_catalogue_names_the_culprit_of_what_it_refuses() {
    let refuse = |odd: &'static dyn ClientModule, with: &[&str]| {
        let mut compiled = MODULES.to_vec();
        compiled.push(odd);
        let clients = with.iter().map(|c| (*c).to_owned()).collect();
        Catalogue::new(
            &compiled,
            &Selection {
                clients,
                persona: Persona::PlatformAdmin,
            },
        )
        .unwrap_err()
        .to_string()
    };
    insta::assert_snapshot!(
        [
            refuse(&EMPTY, &["empty"]),
            refuse(&TWIN, &["hub", "twin"]),
            refuse(&BAD, &["bad"]),
            refuse(&DANGLING, &["dangling"]),
            refuse(&EMPTY, &["trainr"]),
            refuse(&EMPTY, &["spark"]),
        ]
        .join("\n")
    );
}

/// A module whose types say one thing and whose file says another, or nothing that can be read.
struct Written(&'static str);

impl ClientModule for Written {
    fn name(&self) -> &'static str {
        "written"
    }
    fn about(&self) -> &'static str {
        "a module for a test"
    }
    fn home(&self) -> &'static str {
        "written"
    }
    fn schemas(&self) -> Option<&'static str> {
        Some(self.0)
    }
    fn tools(&self) -> Vec<&'static Entry> {
        vec![const { &Entry::tool::<Twin>("written::twin") }]
    }
}

static KEPT: Written = Written(
    r#"{"list_models": {"description": "From the file.", "input": {"type": "object"}, "output": {"x-kept": true}}}"#,
);
static TORN: Written = Written(r#"{"list_models": {"description": "From the file.", "input""#);
static OF_ANOTHER_FORM: Written =
    Written(r#"{"list_models": {"description": "From the file.", "input": [], "output": {}}}"#);
static OF_OTHERS: Written = Written("{}");

#[test]
fn the_file_is_listed_and_what_it_lacks_the_types_say() {
    let listed = |written: &'static dyn ClientModule| {
        let selection = Selection {
            clients: vec!["written".into()],
            persona: Persona::Readonly,
        };
        let catalogue = Catalogue::new(&[written], &selection).unwrap();
        let tool = catalogue.get("list_models").unwrap().clone();
        (tool.description, tool.output_schema.contains_key("x-kept"))
    };
    assert_eq!(listed(&KEPT), ("From the file.".to_owned(), true));
    for other in [&TORN, &OF_ANOTHER_FORM, &OF_OTHERS] {
        assert_eq!(
            listed(other),
            ("Does nothing at all, for a test.".to_owned(), false),
            "{}",
            other.0
        );
    }
}

#[test]
fn a_module_that_was_not_chosen_is_not_listed() {
    let chosen = Selection {
        clients: vec!["trainer".into()],
        persona: Persona::PlatformAdmin,
    };
    let catalogue = Catalogue::new(MODULES, &chosen).unwrap();
    assert!(catalogue.get("list_models").is_none());
    assert!(catalogue.get("list_training_jobs").is_some());
    let none = Catalogue::new(
        MODULES,
        &Selection {
            clients: vec!["nope".into()],
            persona: Persona::Readonly,
        },
    );
    assert!(matches!(none, Err(CatalogueError::UnknownClient { .. })));
}
