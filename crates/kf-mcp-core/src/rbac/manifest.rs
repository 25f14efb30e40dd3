//! Rights as Kubernetes objects: roles and bindings.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::rights::{Callers, Reach, Right, of_callers, of_tools};
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

/// The YAML documents of the roles and bindings that give tools what they declare. Names are Kubernetes names.
pub fn manifests<'a>(tools: impl IntoIterator<Item = &'a ToolSpec>, grant: &Grant<'_>) -> String {
    let mut here: BTreeMap<Kind, Asked> = BTreeMap::new();
    let mut everywhere: BTreeMap<Kind, Asked> = BTreeMap::new();
    for right in of_tools(tools, grant.reach) {
        let kinds = if right.wide { &mut everywhere } else { &mut here };
        let asked = kinds.entry((right.group, right.resource.into_owned())).or_default();
        asked.verbs.insert(right.verb);
        asked.needed.extend(right.needed_by);
        asked.useful.extend(right.used_by);
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
    for Right {
        group,
        resource,
        names,
        verb,
        ..
    } in &rights
    {
        let names = names.as_ref().map(|names| format!(", resourceNames: {names:?}"));
        let names = names.unwrap_or_default();
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
    use crate::kube::Impersonation;
    use crate::policy::Pattern;
    use crate::tool::{Access, Phase};

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
