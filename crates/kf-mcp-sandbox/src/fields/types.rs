//! The types of objects, as far as they say which fields there are and how two versions of a value become one.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use serde_json::Value;

use super::table;
use crate::kinds::Kind;

/// The types of all kinds that the sandbox knows the fields of.
static TYPES: LazyLock<Types> = LazyLock::new(|| table::read(include_str!("types.txt")));

/// A type within [`Types`]; `atomic` turns a map into one value where it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) at: usize,
    pub(super) atomic: bool,
}

/// What a single value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar {
    Text,
    Number,
    Flag,
    /// A quantity, a time, an int-or-string.
    Any,
}

/// How elements of a list are told apart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum By {
    /// They are not: the list is one value.
    Nothing,
    /// By themselves.
    Value,
    /// By some of their fields, which may have defaults.
    Keys(Vec<(String, Option<Value>)>),
}

/// How a strategic merge patch treats a field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Patching {
    /// Lists are merged rather than replaced.
    pub(crate) merge: bool,
    /// The field that tells a list's elements apart, empty for lists of single values.
    pub(crate) key: String,
}

#[derive(Debug, PartialEq)]
pub(super) struct Field {
    pub(super) link: Link,
    /// What the field of an empty object is in the real server's Go type, if it is there.
    pub(super) always: Option<Value>,
    pub(super) patching: Patching,
    /// What the field is when it is not there.
    pub(super) default: Option<Value>,
}

#[derive(Debug, PartialEq)]
pub(super) enum Def {
    Scalar(Scalar),
    /// Anything; maps merge, lists do not.
    Deduced,
    /// Anything, as one value.
    Opaque,
    Map {
        fields: BTreeMap<String, Field>,
        /// The type of fields that are not listed, where there may be any.
        rest: Option<Link>,
    },
    List {
        item: Link,
        by: By,
    },
}

/// A table of types.
#[derive(Debug)]
pub(super) struct Types {
    pub(super) defs: Vec<Def>,
    /// By apiVersion and kind.
    pub(super) kinds: HashMap<(String, String), Link>,
}

/// [`Types::defs`] begins with these two.
pub(super) const DEDUCED: Link = Link { at: 0, atomic: false };
pub(super) const OPAQUE: Link = Link { at: 1, atomic: false };

impl Types {
    /// The type of a kind's objects; of kinds that are not in the table nothing is known.
    pub(super) fn shape(&self, api_version: &str, kind: &str) -> Shape<'_> {
        let link = self.kinds.get(&(api_version.to_owned(), kind.to_owned()));
        Shape {
            types: self,
            link: link.copied().unwrap_or(DEDUCED),
        }
    }
}

/// A type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape<'t> {
    types: &'t Types,
    link: Link,
}

/// What a type is for a given value.
#[derive(Debug)]
pub(crate) enum Form<'t> {
    Scalar(Scalar),
    List(Listed<'t>),
    Map(Mapped<'t>),
}

impl Form<'_> {
    /// Whether two values of one type are of the same form.
    pub(super) fn like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// A type of lists.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listed<'t> {
    pub(super) item: Shape<'t>,
    pub(super) by: &'t By,
}

/// A type of maps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mapped<'t> {
    types: &'t Types,
    fields: Option<&'t BTreeMap<String, Field>>,
    rest: Option<Link>,
    pub(super) atomic: bool,
}

impl Shape<'static> {
    /// The type of all objects' metadata.
    pub(crate) fn metadata() -> Option<Self> {
        TYPES.shape("v1", "ConfigMap").map()?.field("metadata")
    }

    /// The type of a kind's objects.
    pub(crate) fn of(kind: &Kind) -> Self {
        TYPES.shape(&kind.api_version(), kind.kind)
    }
}

impl<'t> Shape<'t> {
    fn new(types: &'t Types, link: Link) -> Self {
        Self { types, link }
    }

    /// Whether anything is known of the fields.
    pub(crate) fn known(self) -> bool {
        !matches!(self.def(), Some(Def::Deduced | Def::Opaque) | None)
    }

    /// Whether a value is a list or a map (other than a struct) with nothing in it.
    pub(super) fn empty(self, value: &Value) -> bool {
        match (self.def(), value) {
            (Some(Def::List { .. }), Value::Array(items)) => items.is_empty(),
            (Some(Def::Map { fields, .. }), Value::Object(given)) => fields.is_empty() && given.is_empty(),
            _ => false,
        }
    }

    fn def(self) -> Option<&'t Def> {
        self.types.defs.get(self.link.at)
    }

    /// What a value of this type is. A type that takes anything follows the value, and is a map when there is none.
    pub(crate) fn form(self, value: Option<&Value>) -> Form<'t> {
        let map = |fields, rest| {
            Form::Map(Mapped {
                types: self.types,
                fields,
                rest,
                atomic: self.link.atomic,
            })
        };
        match self.def() {
            Some(Def::Scalar(scalar)) => Form::Scalar(*scalar),
            Some(Def::List { item, by }) => Form::List(Listed {
                item: Self::new(self.types, *item),
                by,
            }),
            Some(Def::Map { fields, rest }) => map(Some(fields), *rest),
            free => match value {
                Some(Value::Array(_)) => Form::List(Listed {
                    item: Self::new(self.types, OPAQUE),
                    by: &By::Nothing,
                }),
                Some(Value::String(_) | Value::Number(_) | Value::Bool(_)) => Form::Scalar(Scalar::Any),
                _ if matches!(free, Some(Def::Deduced)) => map(None, Some(DEDUCED)),
                _ => Form::Map(Mapped {
                    types: self.types,
                    fields: None,
                    rest: Some(OPAQUE),
                    atomic: true,
                }),
            },
        }
    }

    /// The type as one of maps, if it is one for sure.
    pub(crate) fn map(self) -> Option<Mapped<'t>> {
        match self.form(None) {
            Form::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The type as one of lists, if it is one for sure.
    pub(crate) fn list(self) -> Option<Listed<'t>> {
        match self.form(None) {
            Form::List(list) => Some(list),
            _ => None,
        }
    }
}

impl<'t> Listed<'t> {
    /// The type of the elements.
    pub(crate) fn item(self) -> Shape<'t> {
        self.item
    }

    /// Whether the list is one value.
    pub(super) fn atomic(self) -> bool {
        *self.by == By::Nothing
    }
}

impl<'t> Mapped<'t> {
    /// Whether a field is listed in the type.
    pub(super) fn names(self, field: &str) -> bool {
        self.fields.is_some_and(|fields| fields.contains_key(field))
    }

    /// The type of a field, listed or not; none where there may be no such field.
    pub(crate) fn field(self, field: &str) -> Option<Shape<'t>> {
        let named = self.fields.and_then(|fields| fields.get(field)).map(|field| field.link);
        Some(Shape::new(self.types, named.or(self.rest)?))
    }

    /// Whether fields that are not listed are texts.
    pub(super) fn texts(self) -> bool {
        let rest = self.rest.and_then(|rest| self.types.defs.get(rest.at));
        matches!(rest, Some(Def::Scalar(Scalar::Text)))
    }

    /// How a strategic merge patch treats a field.
    pub(crate) fn patching(self, field: &str) -> Patching {
        let named = self.fields.and_then(|fields| fields.get(field));
        named.map(|field| field.patching.clone()).unwrap_or_default()
    }

    /// The fields that are there even when nobody gives them.
    pub(super) fn defaults(self) -> impl Iterator<Item = (&'t String, &'t Value)> {
        let fields = self.fields.into_iter().flatten();
        fields.filter_map(|(name, field)| Some((name, field.default.as_ref()?)))
    }

    /// The fields that an empty object has, and what they are.
    pub(super) fn always(self) -> impl Iterator<Item = (&'t String, &'t Value)> {
        let fields = self.fields.into_iter().flatten();
        fields.filter_map(|(name, field)| Some((name, field.always.as_ref()?)))
    }
}
