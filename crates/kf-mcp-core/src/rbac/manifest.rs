//! Rights as Kubernetes objects: roles and bindings.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::rights::{Callers, Reach, Right, Where, of_callers, of_tools};
use crate::tool::ToolSpec;

const VERSION: &str = "apiVersion: rbac.authorization.k8s.io/v1";

/// Who gets the rights, and where.
#[derive(Debug, Clone)]
pub struct Grant<'a> {
    /// The name of the roles and bindings.
    pub name: &'a str,
    /// The namespace in which they hold with [`Reach::Namespace`].
    pub namespace: &'a str,
    /// How far they reach.
    pub reach: Reach,
    /// Namespace and name of the service account.
    pub account: (&'a str, &'a str),
    /// What the service account needs to act for others.
    pub callers: Callers<'a>,
}

/// What is asked of one kind, and by whom.
#[derive(Debug, Default)]
struct Asked {
    verbs: BTreeSet<&'static str>,
    /// Tools that fail without.
    needed: BTreeSet<&'static str>,
    /// Tools that can do without, and say what they could not see.
    useful: BTreeSet<&'static str>,
}

/// A group and a resource of it.
type Kind = (&'static str, String);

/// The YAML documents of the roles and bindings that give tools what they declare. Names are Kubernetes names; `settings` are the
/// configuration's sections, which may say where a component is.
pub fn manifests<'a>(
    tools: impl IntoIterator<Item = &'a ToolSpec>,
    settings: &Map<String, Value>,
    grant: &Grant<'_>,
) -> String {
    let mut places: BTreeMap<Option<String>, BTreeMap<Kind, Asked>> = BTreeMap::new();
    for right in of_tools(tools, grant.reach, settings) {
        let place = match right.place {
            Where::Calls => Some(grant.namespace.to_owned()),
            Where::Namespace(other) => Some(other),
            Where::Everywhere => None,
        };
        let kinds = places.entry(place).or_default();
        let asked = kinds.entry((right.group, right.resource.into_owned())).or_default();
        asked.verbs.insert(right.verb);
        asked.needed.extend(right.needed_by);
        asked.useful.extend(right.used_by);
        asked.useful.extend(right.needed_with.iter().map(|(tool, _)| tool));
    }
    let mut text = String::new();
    let everywhere = places.remove(&None);
    for (namespace, kinds) in &places {
        role(&mut text, "Role", namespace.as_deref(), kinds, grant);
    }
    if let Some(kinds) = &everywhere {
        role(&mut text, "ClusterRole", None, kinds, grant);
    }
    callers(&mut text, grant);
    text
}

/// A role with what a server needs to know its callers and to act as them, and its binding.
fn callers(text: &mut String, grant: &Grant<'_>) {
    let rights = of_callers(grant.callers);
    if rights.is_empty() {
        return;
    }
    let name = format!("{}-callers", grant.name);
    line(
        text,
        format_args!("---\n{VERSION}\nkind: ClusterRole\nmetadata: {{name: {name}}}\nrules:"),
    );
    let same = |one: &Right, next: &Right| one.kind() == next.kind() && one.verb == next.verb;
    for rights in rights.chunk_by(same) {
        let Some(Right {
            group, resource, verb, ..
        }) = rights.first()
        else {
            continue;
        };
        let names: Vec<&String> = rights.iter().filter_map(|right| right.name.as_ref()).collect();
        let names = if names.is_empty() {
            String::new()
        } else {
            format!(", resourceNames: {names:?}")
        };
        line(
            text,
            format_args!("  - {{apiGroups: [{group:?}], resources: [{resource:?}]{names}, verbs: [{verb}]}}"),
        );
    }
    binding(text, "ClusterRole", &name, "", grant.account);
}

fn binding(text: &mut String, kind: &str, name: &str, place: &str, (namespace, account): (&str, &str)) {
    line(
        text,
        format_args!(
            "---\n{VERSION}\nkind: {kind}Binding\nmetadata: {{name: {name}{place}}}\n\
             roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: {kind}, name: {name}}}\n\
             subjects:\n  - {{kind: ServiceAccount, name: {account}, namespace: {namespace}}}"
        ),
    );
}

/// A role and its binding.
fn role(text: &mut String, kind: &str, namespace: Option<&str>, kinds: &BTreeMap<Kind, Asked>, grant: &Grant<'_>) {
    let name = grant.name;
    let place = namespace.map_or_else(String::new, |namespace| format!(", namespace: {namespace}"));
    line(
        text,
        format_args!("---\n{VERSION}\nkind: {kind}\nmetadata: {{name: {name}{place}}}\nrules:"),
    );
    for ((group, resource), asked) in kinds {
        for (words, tools) in [
            ("needed by", &asked.needed),
            ("used where it is given by", &asked.useful),
        ] {
            let tools: Vec<&str> = tools
                .iter()
                .filter(|tool| std::ptr::eq(tools, &asked.needed) || !asked.needed.contains(*tool))
                .copied()
                .collect();
            if !tools.is_empty() {
                line(text, format_args!("  # {words} {}", tools.join(", ")));
            }
        }
        let verbs: Vec<&str> = asked.verbs.iter().copied().collect();
        line(
            text,
            format_args!(
                "  - {{apiGroups: [{group:?}], resources: [{resource:?}], verbs: [{}]}}",
                verbs.join(", ")
            ),
        );
    }
    if grant.callers.act_as_the_server() {
        return binding(text, kind, name, &place, grant.account);
    }
    let (what, place) = match namespace {
        Some(namespace) => ("rolebinding", format!(" -n {namespace}")),
        None => ("clusterrolebinding", String::new()),
    };
    let option = kind.to_ascii_lowercase();
    line(
        text,
        format_args!("# for those who call: kubectl create {what} {name} --{option}={name} --group=GROUP{place}"),
    );
}

fn line(text: &mut String, what: std::fmt::Arguments<'_>) {
    // writing to a text does not fail
    writeln!(text, "{what}").ok();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::{ActAs, Impersonation};
    use crate::policy::Pattern;
    use crate::tool::{Access, Phase, Place};

    const LIST: ToolSpec = ToolSpec::read("list_things", Phase::Discovery).access(&[
        Access::new("example.com", "things", &["list"]).cluster(),
        Access::new("", "nodes", &["list"]).cluster().degrades(),
    ]);
    const DELETE: ToolSpec = ToolSpec::destructive("delete_thing", Phase::Lifecycle).access(&[
        Access::new("example.com", "things", &["get", "delete"]),
        Access::new("", "pods/log", &["get"]).degrades(),
    ]);

    fn grant(reach: Reach, callers: Callers<'_>) -> Grant<'_> {
        Grant {
            name: "mcp",
            namespace: "team-a",
            reach,
            account: ("kubeflow", "server"),
            callers,
        }
    }

    fn of(reach: Reach) -> String {
        manifests([&LIST, &DELETE], &Map::new(), &grant(reach, Callers::default()))
    }

    #[test]
    fn a_server_that_acts_as_others_has_no_rights_of_the_tools() {
        let impersonation = |groups: &[&str], extra: &[&str]| {
            ActAs::Impersonate(Impersonation {
                groups: groups.iter().map(|group| Pattern::new(group).unwrap()).collect(),
                extra: extra.iter().map(|key| (*key).to_owned()).collect(),
            })
        };
        let print = |acts: &ActAs, reviewed| {
            let callers = Callers { acts, reviewed };
            manifests([&DELETE], &Map::new(), &grant(Reach::Namespace, callers))
        };
        insta::assert_snapshot!(print(&impersonation(&["ml-a", "ml-b"], &["Example.com/Project"]), true), @r#"
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: Role
        metadata: {name: mcp, namespace: team-a}
        rules:
          # used where it is given by delete_thing
          - {apiGroups: [""], resources: ["pods/log"], verbs: [get]}
          # needed by delete_thing
          - {apiGroups: ["example.com"], resources: ["things"], verbs: [delete, get]}
        # for those who call: kubectl create rolebinding mcp --role=mcp --group=GROUP -n team-a
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRole
        metadata: {name: mcp-callers}
        rules:
          - {apiGroups: [""], resources: ["users"], verbs: [impersonate]}
          - {apiGroups: [""], resources: ["serviceaccounts"], verbs: [impersonate]}
          - {apiGroups: ["authentication.k8s.io"], resources: ["uids"], verbs: [impersonate]}
          - {apiGroups: [""], resources: ["groups"], resourceNames: ["ml-a", "ml-b"], verbs: [impersonate]}
          - {apiGroups: ["authentication.k8s.io"], resources: ["userextras/example.com/project"], verbs: [impersonate]}
          - {apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: [create]}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRoleBinding
        metadata: {name: mcp-callers}
        roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: mcp-callers}
        subjects:
          - {kind: ServiceAccount, name: server, namespace: kubeflow}
        "#);
        let any = print(&impersonation(&["ml-*"], &[]), false);
        assert!(any.contains("resources: [\"groups\"], verbs"), "{any}");
        assert!(
            !any.contains("serviceaccounts") && !any.contains("tokenreviews"),
            "{any}"
        );
        assert!(!print(&impersonation(&[], &[]), false).contains("groups\"]"));
        let token = print(&ActAs::Token, true);
        assert!(
            token.contains("tokenreviews") && !token.contains("kind: RoleBinding"),
            "{token}"
        );
    }

    #[test]
    fn in_a_namespace_only_what_has_none_is_given_in_the_cluster() {
        insta::assert_snapshot!(of(Reach::Namespace), @r#"
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: Role
        metadata: {name: mcp, namespace: team-a}
        rules:
          # used where it is given by delete_thing
          - {apiGroups: [""], resources: ["pods/log"], verbs: [get]}
          # needed by delete_thing, list_things
          - {apiGroups: ["example.com"], resources: ["things"], verbs: [delete, get, list]}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: RoleBinding
        metadata: {name: mcp, namespace: team-a}
        roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: mcp}
        subjects:
          - {kind: ServiceAccount, name: server, namespace: kubeflow}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRole
        metadata: {name: mcp}
        rules:
          # used where it is given by list_things
          - {apiGroups: [""], resources: ["nodes"], verbs: [list]}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRoleBinding
        metadata: {name: mcp}
        roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: mcp}
        subjects:
          - {kind: ServiceAccount, name: server, namespace: kubeflow}
        "#);
    }

    #[test]
    fn what_is_asked_of_a_component_is_given_where_the_component_is() {
        const HUB: ToolSpec = ToolSpec::read("list_models", Phase::Discovery).access(&[
            Access::new("", "services/proxy", &["get"]).at(Place::Configured {
                key: "hub.namespace",
                default: "kubeflow",
                unless: "hub.url",
            }),
            Access::new("", "configmaps", &["get"]).at(Place::Public),
        ]);
        let print = |settings: Value| {
            let settings = settings.as_object().unwrap();
            manifests([&HUB], settings, &grant(Reach::Cluster, Callers::default()))
        };
        let text = print(serde_json::json!({}));
        assert!(
            text.contains("metadata: {name: mcp, namespace: kubeflow}") && !text.contains("configmaps"),
            "{text}"
        );
        let text = print(serde_json::json!({"hub": {"namespace": "models", "url": " "}}));
        assert!(
            text.contains("namespace: models}") && !text.contains("ClusterRole"),
            "{text}"
        );
        assert_eq!(print(serde_json::json!({"hub": {"url": "https://hub.example"}})), "");
    }

    #[test]
    fn in_the_cluster_everything_is_one_role() {
        let text = of(Reach::Cluster);
        assert!(
            !text.contains("kind: Role\n") && text.contains("resources: [\"things\"]"),
            "{text}"
        );
    }
}
