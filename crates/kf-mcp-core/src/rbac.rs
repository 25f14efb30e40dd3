//! The rights that a set of tools needs, from what the tools declare: Kubernetes' own RBAC objects, least privilege.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::kube::Impersonation;
use crate::policy::Pattern;
use crate::tool::{Access, Need, ToolSpec};

const VERSION: &str = "apiVersion: rbac.authorization.k8s.io/v1";

/// Kinds without a namespace: only a ClusterRole can give rights on them.
const OF_THE_CLUSTER: [&str; 11] = [
    "namespaces",
    "nodes",
    "customresourcedefinitions",
    "clustertrainingruntimes",
    "clusterqueues",
    "resourceslices",
    "storageclasses",
    "queues",
    "selfsubjectaccessreviews",
    "selfsubjectrulesreviews",
    "selfsubjectreviews",
];

/// Where the rights hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// In one namespace; kinds without a namespace in the cluster all the same.
    Namespace,
    /// In all namespaces.
    Cluster,
}

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

/// How a server treats those who call it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Callers<'a> {
    /// It acts as them: the rights of the tools are theirs to have, and the service account needs none of them.
    pub impersonated: Option<&'a Impersonation>,
    /// It asks the API server whose their tokens are.
    pub reviewed: bool,
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
type Kind = (&'static str, &'static str);

/// The YAML documents of the roles and bindings that give tools what they declare. Names are Kubernetes names.
pub fn manifests<'a>(tools: impl IntoIterator<Item = &'a ToolSpec>, grant: &Grant<'_>) -> String {
    let mut here: BTreeMap<Kind, Asked> = BTreeMap::new();
    let mut everywhere: BTreeMap<Kind, Asked> = BTreeMap::new();
    for spec in tools {
        for access in spec.access {
            let wide = grant.reach == Reach::Cluster || is_of_the_cluster(access);
            let kinds = if wide { &mut everywhere } else { &mut here };
            let asked = kinds.entry((access.group, access.resource)).or_default();
            asked.verbs.extend(access.verbs);
            match access.need {
                Need::Required => asked.needed.insert(spec.name),
                Need::Degrades | Need::WithArgument(_) => asked.useful.insert(spec.name),
            };
        }
    }
    let mut text = String::new();
    if !here.is_empty() {
        role(&mut text, "Role", Some(grant.namespace), &here, grant);
    }
    if !everywhere.is_empty() {
        role(&mut text, "ClusterRole", None, &everywhere, grant);
    }
    callers(&mut text, grant);
    text
}

/// What a server needs besides what its tools need, to know its callers and to act as them.
fn callers(text: &mut String, grant: &Grant<'_>) {
    const AUTHENTICATION: &str = "authentication.k8s.io";
    let Callers { impersonated, reviewed } = grant.callers;
    let mut rules = Vec::new();
    let mut rule = |group: &str, resource: &str, names: Option<Vec<&str>>, verb: &str| {
        let names = names
            .map(|names| format!(", resourceNames: {names:?}"))
            .unwrap_or_default();
        rules.push(format!(
            "  - {{apiGroups: [{group:?}], resources: [{resource:?}]{names}, verbs: [{verb}]}}"
        ));
    };
    if let Some(Impersonation { groups, extra }) = impersonated {
        rule("", "users", None, "impersonate");
        if reviewed {
            rule("", "serviceaccounts", None, "impersonate");
            rule(AUTHENTICATION, "uids", None, "impersonate");
        }
        if !groups.is_empty() {
            // with a wildcard the names are not known: any group then
            let literal: Option<Vec<&str>> = groups.iter().map(Pattern::literal).collect();
            rule("", "groups", literal, "impersonate");
        }
        for key in extra {
            let key = format!("userextras/{}", key.to_ascii_lowercase());
            rule(AUTHENTICATION, &key, None, "impersonate");
        }
    }
    if reviewed {
        rule(AUTHENTICATION, "tokenreviews", None, "create");
    }
    if rules.is_empty() {
        return;
    }
    let name = format!("{}-callers", grant.name);
    line(
        text,
        format_args!(
            "---\n{VERSION}\nkind: ClusterRole\nmetadata: {{name: {name}}}\nrules:\n{}",
            rules.join("\n")
        ),
    );
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

/// Whether an access is to a kind without a namespace.
pub fn is_of_the_cluster(access: &Access) -> bool {
    OF_THE_CLUSTER.contains(&access.resource)
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
    if grant.callers.impersonated.is_none() {
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
    use crate::tool::Phase;

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
        manifests([&LIST, &DELETE], &grant(reach, Callers::default()))
    }

    #[test]
    fn a_server_that_acts_as_others_has_no_rights_of_the_tools() {
        let impersonation = |groups: &[&str], extra: &[&str]| Impersonation {
            groups: groups.iter().map(|group| Pattern::new(group).unwrap()).collect(),
            extra: extra.iter().map(|key| (*key).to_owned()).collect(),
        };
        let print = |impersonation: &Impersonation, reviewed| {
            let callers = Callers {
                impersonated: Some(impersonation),
                reviewed,
            };
            manifests([&DELETE], &grant(Reach::Namespace, callers))
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
    fn in_the_cluster_everything_is_one_role() {
        let text = of(Reach::Cluster);
        assert!(
            !text.contains("kind: Role\n") && text.contains("resources: [\"things\"]"),
            "{text}"
        );
    }
}
