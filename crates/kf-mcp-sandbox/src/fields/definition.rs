//! Types from the schema of a custom resource definition, for kinds whose fields are not those of the table.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use serde_json::Value;

use super::types::{By, DEDUCED, Def, Field, Link, OPAQUE, Patching, Scalar, Shape, Types};
use crate::kinds::Kind;
use crate::release::Release;

static V2_0: LazyLock<Types> = LazyLock::new(|| trainjob(Release::V2_0));
static V2_1: LazyLock<Types> = LazyLock::new(|| trainjob(Release::V2_1));

impl Shape<'static> {
    /// The type of a kind's objects where this release of Trainer is installed.
    pub(crate) fn served(kind: &Kind, release: Release) -> Self {
        let types: &'static Types = match release {
            _ if kind.kind != "TrainJob" => return Self::of(kind),
            Release::V2_0 => &V2_0,
            Release::V2_1 => &V2_1,
            Release::V2_3 => return Self::of(kind),
        };
        types.shape(&kind.api_version(), kind.kind)
    }
}

fn trainjob(release: Release) -> Types {
    let kind = Kind::named("TrainJob");
    let schema = kind.and_then(|kind| release.schema(kind));
    let mut reader = Reader {
        defs: vec![Def::Deduced, Def::Opaque],
    };
    let link = reader.link(schema.unwrap_or(&Value::Null));
    let named = kind.map(|kind| ((kind.api_version(), kind.kind.to_owned()), link));
    Types {
        defs: reader.defs,
        kinds: named.into_iter().collect::<HashMap<_, _>>(),
    }
}

struct Reader {
    defs: Vec<Def>,
}

impl Reader {
    fn link(&mut self, schema: &Value) -> Link {
        let Some(def) = self.define(schema) else {
            return if schema["x-kubernetes-map-type"] == "atomic" {
                OPAQUE
            } else {
                DEDUCED
            };
        };
        self.defs.push(def);
        Link {
            at: self.defs.len() - 1,
            atomic: schema["x-kubernetes-map-type"] == "atomic",
        }
    }

    /// None for what takes anything, as metadata do here.
    fn define(&mut self, schema: &Value) -> Option<Def> {
        if schema["x-kubernetes-int-or-string"] == true {
            return Some(Def::Scalar(Scalar::Any));
        }
        match schema["type"].as_str()? {
            "string" if schema["format"].is_string() => Some(Def::Scalar(Scalar::Any)),
            "string" => Some(Def::Scalar(Scalar::Text)),
            "integer" | "number" => Some(Def::Scalar(Scalar::Number)),
            "boolean" => Some(Def::Scalar(Scalar::Flag)),
            "array" => {
                let item = self.link(&schema["items"]);
                Some(Def::List { item, by: by(schema) })
            }
            _ => self.map(schema),
        }
    }

    fn map(&mut self, schema: &Value) -> Option<Def> {
        let rest = schema.get("additionalProperties").map(|rest| self.link(rest));
        let properties = schema["properties"].as_object();
        if properties.is_none() && rest.is_none() {
            return None;
        }
        let fields: BTreeMap<String, Field> = properties
            .into_iter()
            .flatten()
            .map(|(name, schema)| {
                let field = Field {
                    link: self.link(schema),
                    always: None,
                    patching: Patching::default(),
                    default: schema.get("default").cloned(),
                };
                (name.clone(), field)
            })
            .collect();
        Some(Def::Map { fields, rest })
    }
}

/// How the elements of a list are told apart.
fn by(schema: &Value) -> By {
    match schema["x-kubernetes-list-type"].as_str() {
        Some("set") => By::Value,
        Some("map") => {
            let keys = schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten();
            let default = |key: &str| schema["items"]["properties"][key].get("default").cloned();
            By::Keys(
                keys.filter_map(Value::as_str)
                    .map(|key| (key.to_owned(), default(key)))
                    .collect(),
            )
        }
        _ => By::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::Known;
    use serde_json::json;

    #[test]
    fn each_release_knows_its_own_fields() {
        let kind = Kind::named("TrainJob").unwrap();
        let unknown = |release, spec: Value| {
            let mut job = json!({"apiVersion": "a", "kind": "b", "metadata": {"name": "c"}, "spec": spec});
            Known::prune(Shape::served(kind, release), &mut job).warnings.join("; ")
        };
        let deadline = json!({"activeDeadlineSeconds": 1, "runtimePatches": []});
        for release in [Release::V2_0, Release::V2_1] {
            assert_eq!(
                unknown(release, deadline.clone()),
                "unknown field \"spec.activeDeadlineSeconds\"; unknown field \"spec.runtimePatches\""
            );
        }
        assert_eq!(unknown(Release::V2_3, deadline), "");
        let pods = json!({"podTemplateOverrides": [{"targetJobs": [{"name": "node"}], "spec": {
            "affinity": {"nodeAffinity": {}}, "imagePullSecrets": [{"name": "a"}], "nope": 1}}]});
        assert_eq!(
            unknown(Release::V2_1, pods),
            "unknown field \"spec.podTemplateOverrides[0].spec.nope\""
        );
        let pods = json!({"podSpecOverrides": [{"targetJobs": [{"name": "node"}], "affinity": {}, "nodeSelector": {"a": "b"}}]});
        assert_eq!(
            unknown(Release::V2_0, pods),
            "unknown field \"spec.podSpecOverrides[0].affinity\""
        );
    }
}
