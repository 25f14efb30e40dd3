//! Which form of an answer a client accepts.

use serde_json::json;

use super::view::View;
use crate::kinds::Kind;
use crate::status::Status;

const PRODUCED: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";
const STREAMED: &str = ", application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Objects as they are.
    Whole,
    /// `PartialObjectMetadata`, or for lists and watches a list of it, of an apiVersion.
    Metadata(&'static str),
    /// A list where there is one object.
    NotAList,
    /// `Table`, of an apiVersion.
    Table(&'static str),
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// One object.
    Object,
    /// A list.
    List,
    /// A watch.
    Watch,
}

/// One media range of an `Accept` header.
struct Range<'a> {
    main: &'a str,
    sub: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    quality: f64,
}

impl<'a> Range<'a> {
    fn new(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (main, sub) = match parts.next()? {
            "*" => ("*", "*"),
            range => range.split_once('/')?,
        };
        let parameters: Vec<(&str, &str)> = parts
            .filter_map(|part| part.split_once('='))
            .map(|(name, value)| (name.trim(), value.trim()))
            .collect();
        let quality = parameters.iter().find(|(name, _)| *name == "q");
        let quality = quality.map_or(1.0, |(_, value)| value.parse().unwrap_or(1.0));
        Some(Self {
            main: main.trim(),
            sub: sub.trim(),
            parameters,
            quality,
        })
    }

    fn parameter(&self, name: &str) -> Option<&'a str> {
        self.parameters
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| *value)
    }

    /// Whether JSON is in the range.
    fn json(&self) -> bool {
        matches!((self.main, self.sub), ("application", "json" | "*") | ("*", "*"))
    }
}

/// The ranges of a header, the most wanted first.
fn ranges(header: &str) -> Vec<Range<'_>> {
    let mut ranges: Vec<Range<'_>> = header.split(',').filter_map(Range::new).collect();
    ranges.sort_by(|a, b| b.quality.total_cmp(&a.quality));
    ranges
}

/// Chooses the form of an answer about objects of a kind; 406 when there is none that the client accepts.
pub(crate) fn negotiate(header: &str, kind: &Kind, asked: Asked) -> Result<Form, Status> {
    let ranges = ranges(header);
    if !header.is_empty() && !kind.custom() && !ranges.iter().any(routed) {
        return Err(not_routed(asked != Asked::Object));
    }
    let chosen = if header.is_empty() {
        Some((Form::Whole, ""))
    } else {
        ranges.iter().filter(|range| range.json()).find_map(form)
    };
    let (form, name) = chosen.ok_or_else(not_acceptable)?;
    match (form, name, asked) {
        (Form::Metadata(_), "PartialObjectMetadata", Asked::List) => Err(refused(format!(
            "you requested PartialObjectMetadata, but the requested object is a list ({})",
            go_type(kind, "List")
        ))),
        (Form::Metadata(_), "PartialObjectMetadataList", Asked::Object) => Ok(Form::NotAList),
        (form, ..) => Ok(form),
    }
}

/// The refusal of [`Form::NotAList`], which comes when all else is done.
pub(crate) fn not_a_list(kind: &Kind) -> Status {
    if kind.custom() {
        return Status::new(500, "", "content is not a list");
    }
    refused(format!(
        "you requested PartialObjectMetadataList, but the requested object is not a list ({})",
        go_type(kind, "")
    ))
}

/// How the answers that carry an object are written, whatever else may be refused later.
pub(crate) fn view(header: &str) -> View {
    match ranges(header).iter().filter(|range| range.json()).find_map(form) {
        Some((Form::Metadata(version), _)) => View::Metadata(version),
        _ => View::Whole,
    }
}

/// Whether a client wants aggregated discovery; 406 when it accepts neither that nor the plain one.
pub(crate) fn aggregated(header: &str, core: bool) -> Result<bool, Status> {
    if header.is_empty() {
        return Ok(false);
    }
    if core && !ranges(header).iter().any(routed) {
        return Err(not_routed(false));
    }
    let wanted = ranges(header).into_iter().filter(Range::json).find_map(|range| {
        let convert = ["g", "v", "as"].map(|name| range.parameter(name));
        match convert {
            [None, None, None] => Some(false),
            [Some("apidiscovery.k8s.io"), Some("v2"), Some("APIGroupDiscoveryList")] => Some(true),
            _ => None,
        }
    });
    wanted.ok_or_else(not_acceptable)
}

/// The form that a range asks for by its parameters, and the name it has there.
fn form<'a>(range: &Range<'a>) -> Option<(Form, &'a str)> {
    if range
        .parameter("stream")
        .is_some_and(|stream| !matches!(stream, "" | "watch"))
    {
        return None;
    }
    let [group, version, name] = ["g", "v", "as"].map(|name| range.parameter(name));
    if group.is_none() && version.is_none() && name.is_none() {
        return Some((Form::Whole, ""));
    }
    let version = match (group?, version?) {
        ("meta.k8s.io", "v1") => "meta.k8s.io/v1",
        ("meta.k8s.io", "v1beta1") => "meta.k8s.io/v1beta1",
        _ => return None,
    };
    match name? {
        "Table" => Some((Form::Table(version), "Table")),
        name @ ("PartialObjectMetadata" | "PartialObjectMetadataList") => Some((Form::Metadata(version), name)),
        _ => None,
    }
}

/// Whether the router of built-in kinds lets a range through: it does not know `application/*`.
fn routed(range: &Range<'_>) -> bool {
    matches!(
        (range.main, range.sub),
        ("*", "*") | ("application", "json" | "yaml" | "vnd.kubernetes.protobuf")
    )
}

/// The refusal of the router of built-in kinds.
fn not_routed(streams: bool) -> Status {
    let streams = if streams { STREAMED } else { "" };
    let message = format!("406: Not Acceptable\n\nAvailable representations: {PRODUCED}{streams}");
    Status::new(406, "NotAcceptable", message).details(json!({}))
}

fn not_acceptable() -> Status {
    refused(format!("only the following media types are accepted: {PRODUCED}"))
}

fn refused(message: String) -> Status {
    Status::new(406, "NotAcceptable", message)
}

/// What a kind is called inside of the API server, which tells it in messages.
fn go_type(kind: &Kind, suffix: &str) -> String {
    if kind.custom() {
        return format!("*unstructured.Unstructured{suffix}");
    }
    let package = match kind.group {
        "" => "core",
        group => group.split('.').next().unwrap_or_default(),
    };
    format!("*{package}.{}{suffix}", kind.kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(header: &str, kind: &str, asked: Asked) -> Result<Form, (u16, String)> {
        negotiate(header, Kind::named(kind).unwrap(), asked).map_err(|status| (status.code, status.message))
    }

    #[test]
    fn the_best_range_decides() {
        let (v1, beta) = ("meta.k8s.io/v1", "meta.k8s.io/v1beta1");
        for (header, form) in [
            ("", Form::Whole),
            ("*/*", Form::Whole),
            ("text/plain, */*;q=0.1", Form::Whole),
            ("application/vnd.kubernetes.protobuf,application/json", Form::Whole),
            ("application/json;q=0", Form::Whole),
            ("application/json;foo=bar", Form::Whole),
            (
                "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
                Form::Table(v1),
            ),
            ("application/json;as=Table;v=v1beta1;g=meta.k8s.io", Form::Table(beta)),
            (
                "application/json;as=Table;v=v1;g=meta.k8s.io;q=0.5,application/json;q=0.9",
                Form::Whole,
            ),
            (
                "application/json;as=Foo;v=v1;g=meta.k8s.io, application/json",
                Form::Whole,
            ),
            (
                "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
                Form::Metadata(v1),
            ),
        ] {
            assert_eq!(of(header, "ConfigMap", Asked::Object), Ok(form), "{header}");
        }
    }

    #[test]
    fn what_nobody_can_make_is_refused() {
        let three = "only the following media types are accepted: application/json, application/yaml, \
                     application/vnd.kubernetes.protobuf";
        for header in [
            "application/json;as=Table;v=v2;g=meta.k8s.io",
            "application/json;as=Table;g=meta.k8s.io",
            "application/json;g=meta.k8s.io",
        ] {
            assert_eq!(
                of(header, "ConfigMap", Asked::List),
                Err((406, three.to_owned())),
                "{header}"
            );
        }
        assert_eq!(of("text/plain", "TrainJob", Asked::List), Err((406, three.to_owned())));
        assert_eq!(of("application/*", "TrainJob", Asked::List), Ok(Form::Whole));
        let (_, message) = of("application/*", "ConfigMap", Asked::Object).unwrap_err();
        assert!(message.ends_with("application/vnd.kubernetes.protobuf"), "{message}");
        let (_, message) = of("text/plain", "ConfigMap", Asked::Watch).unwrap_err();
        assert!(
            message.ends_with("application/vnd.kubernetes.protobuf;stream=watch"),
            "{message}"
        );
        let metadata = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
        let (_, message) = of(metadata, "Job", Asked::List).unwrap_err();
        assert!(message.ends_with("is a list (*batch.JobList)"), "{message}");
        assert_eq!(of(metadata, "Job", Asked::Watch), Ok(Form::Metadata("meta.k8s.io/v1")));
    }
}
