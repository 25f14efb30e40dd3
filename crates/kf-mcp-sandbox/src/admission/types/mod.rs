//! Types of objects: their names in Go, which decoders tell, and their limits.

pub(super) mod core;
pub(super) mod decode;
pub(super) mod text;
pub(super) mod trainjob;

/// The type of a field.
#[derive(Debug)]
pub(super) enum Type {
    /// A text of so many characters.
    Text(usize, usize),
    /// One of these texts.
    Enum(&'static [&'static str]),
    /// A whole number of so many bits, within limits.
    Int(u8, i64, i64),
    Flag,
    Time,
    /// Texts by name.
    Texts,
    /// A text that Go has a type of its own for.
    Named(&'static str),
    /// Bytes by name, in base64.
    Bytes,
    /// Quantities by name.
    Quantities,
    List(&'static List),
    Struct(&'static Struct),
    /// A type of Kubernetes that is taken as it comes, by its name in Go.
    Other(&'static str),
}

/// A list.
#[derive(Debug)]
pub(super) struct List {
    pub(super) of: Type,
    /// What tells elements apart; nothing for lists that are one value.
    pub(super) key: &'static str,
    pub(super) most: usize,
}

/// An object with known fields.
#[derive(Debug)]
pub(super) struct Struct {
    /// Its name in Go, with the package.
    pub(super) package: &'static str,
    pub(super) name: &'static str,
    /// In the order in which Go writes them.
    pub(super) fields: &'static [Field],
}

/// A field of an object.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) of: Type,
    pub(super) required: bool,
}

impl Type {
    /// What Go calls it.
    pub(super) fn go(&self) -> String {
        match self {
            Self::Text(..) | Self::Enum(_) => "string".to_owned(),
            Self::Int(bits, ..) => format!("int{bits}"),
            Self::Flag => "bool".to_owned(),
            Self::Time => "v1.Time".to_owned(),
            Self::Texts => "map[string]string".to_owned(),
            Self::Bytes => "map[string][]uint8".to_owned(),
            Self::Quantities => "v1.ResourceList".to_owned(),
            Self::List(list) => format!("[]{}", list.of.go()),
            Self::Struct(object) => format!("{}.{}", object.package, object.name),
            Self::Named(name) | Self::Other(name) => (*name).to_owned(),
        }
    }

    /// What the schema calls it.
    pub(super) fn schema(&self) -> &'static str {
        match self {
            Self::Text(..) | Self::Enum(_) | Self::Named(_) | Self::Time => "string",
            Self::Int(..) => "integer",
            Self::Flag => "boolean",
            Self::List(_) => "array",
            Self::Texts | Self::Bytes | Self::Quantities | Self::Struct(_) | Self::Other(_) => "object",
        }
    }
}

impl Struct {
    /// A field by its name.
    pub(super) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

const fn field(name: &'static str, of: Type) -> Field {
    Field {
        name,
        of,
        required: false,
    }
}

const fn required(name: &'static str, of: Type) -> Field {
    Field {
        name,
        of,
        required: true,
    }
}

const fn object(name: &'static str, fields: &'static [Field]) -> Struct {
    Struct {
        package: "v1alpha1",
        name,
        fields,
    }
}

const fn core(name: &'static str, fields: &'static [Field]) -> Struct {
    Struct {
        package: "v1",
        name,
        fields,
    }
}

const fn map(of: Type, key: &'static str, most: usize) -> List {
    List { of, key, most }
}

const fn list(of: Type, most: usize) -> List {
    List { of, key: "", most }
}

/// Any text.
const ANY: Type = Type::Text(0, usize::MAX);
/// Any whole number of 32 bits.
const INT32: Type = Type::Int(32, i64::MIN, i64::MAX);
/// Any whole number of 64 bits.
const INT64: Type = Type::Int(64, i64::MIN, i64::MAX);
