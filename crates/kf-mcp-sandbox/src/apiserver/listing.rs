//! What a list may say besides its selectors: which version it wants, how much of it, and where to go on.

use base64::DecodeError;
use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::Call;
use super::errors::{Cause, bad_request, forbidden_field, invalid_all, too_large, unsupported_field};
use super::selector::Selection;
use super::syntax;
use crate::kinds::Kind;
use crate::status::Status;
use crate::store::Store;

/// Base64 as Go reads it, which does not look at bits that are left over.
const LENIENT: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, NO_PAD.with_decode_allow_trailing_bits(true));

/// A list's options.
#[derive(Debug)]
pub(crate) struct Listing {
    /// The version that is to be shown, if not the newest.
    pub(crate) version: Option<u64>,
    /// How many objects at most.
    pub(crate) limit: Option<usize>,
    /// Where the page before ended.
    pub(crate) token: Option<Token>,
}

/// Where the next page begins. The same three fields as a real server's token, which clients must not look into.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Token {
    v: String,
    /// The version of the first page; negative in a token that goes on with whatever there is now.
    pub(crate) rv: i64,
    /// The key after which the page begins, as seen from the collection that is listed.
    start: String,
}

impl Token {
    /// A token that goes on after an object.
    pub(crate) fn after(call: &Call, version: u64, namespace: &str, name: &str) -> Self {
        let namespace = if call.target.namespace.is_none() && !namespace.is_empty() {
            format!("/{namespace}")
        } else {
            String::new()
        };
        Self {
            v: "meta.k8s.io/v1".to_owned(),
            rv: i64::try_from(version).unwrap_or(i64::MAX),
            start: format!("{namespace}/{name}\0"),
        }
    }

    /// The token that goes on at the same place with whatever there is now.
    pub(crate) fn inconsistent(&self) -> Self {
        Self {
            v: self.v.clone(),
            rv: -1,
            start: self.start.trim_start_matches('/').to_owned(),
        }
    }

    /// As clients see it.
    pub(crate) fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    fn decode(token: &str) -> Result<Self, Status> {
        let bad = |why: &str| bad_request(format!("invalid continue token: continue key is not valid: {why}"));
        let bytes = LENIENT.decode(token).map_err(|error| {
            let place = match error {
                DecodeError::InvalidByte(place, _) => place,
                _ => token.find('=').unwrap_or(token.len()),
            };
            bad(&format!("illegal base64 data at input byte {place}"))
        })?;
        // what is not there is empty, as Go reads it
        let mut value: serde_json::Value = serde_json::from_slice(&bytes)
            .map_err(|error| bad(&syntax::complaint(&bytes).unwrap_or_else(|| error.to_string())))?;
        for (field, empty) in [("v", "".into()), ("rv", 0.into()), ("start", "".into())] {
            if let Some(map) = value.as_object_mut() {
                map.entry(field).or_insert(empty);
            }
        }
        let token: Self = serde_json::from_value(value).map_err(|error| bad(&error.to_string()))?;
        let odd = |part: &str| matches!(part, "" | "." | "..");
        if token.v != "meta.k8s.io/v1" {
            Err(bad(&format!(
                "server does not recognize this encoded version {}",
                token.v
            )))
        } else if token.rv == 0 {
            Err(bad("incorrect encoded start resourceVersion (version meta.k8s.io/v1)"))
        } else if token.start.is_empty() {
            Err(bad("encoded start key empty (version meta.k8s.io/v1)"))
        } else if token.start.trim_start_matches('/').split('/').any(odd) {
            Err(bad(&token.start))
        } else {
            Ok(token)
        }
    }

    /// Namespace and name after which the page begins.
    pub(crate) fn place<'a>(&'a self, call: &'a Call, kind: &Kind) -> (&'a str, &'a str) {
        let start = self.start.strip_prefix('/').unwrap_or(&self.start);
        match &call.target.namespace {
            Some(namespace) => (namespace, start),
            None if kind.namespaced => start.split_once('/').unwrap_or((start, "")),
            None => ("", start),
        }
    }
}

impl Listing {
    /// Reads the query of a list.
    pub(crate) fn new(call: &Call) -> Result<Self, Status> {
        let query = &call.query;
        let limit = query.number("limit")?;
        let asked = query.get("resourceVersion");
        let version = asked
            .map(|text| number(text).map_err(|why| bad_request(format!("invalid resource version: {why}"))))
            .transpose()?
            .filter(|&version| version > 0);
        let token = query.get("continue").map(Token::decode).transpose()?;
        if token.is_some() && version.is_some() {
            return Err(bad_request(
                "specifying resource version is not allowed when using continue",
            ));
        }
        // "0" is whatever the server has at hand, and it has all of it at hand
        let at_hand = token.is_none() && asked.is_some() && version.is_none();
        let limit = limit
            .and_then(|n| usize::try_from(n).ok())
            .filter(|&n| n > 0 && !at_hand);
        let exact = match query.get("resourceVersionMatch") {
            Some(wanted) => wanted == "Exact",
            // a version with a limit has always meant just that version
            None => limit.is_some(),
        };
        let version = match &token {
            Some(token) => u64::try_from(token.rv).ok(),
            None => version.filter(|_| exact),
        };
        Ok(Self { version, limit, token })
    }
}

/// The version that a get or a list must not be older than.
pub(crate) fn awaited(call: &Call) -> Option<u64> {
    if !matches!(call.verb, "get" | "list") {
        return None;
    }
    let asked = call.query.get("resourceVersion").and_then(|text| text.parse().ok());
    asked.or_else(|| {
        let token = Token::decode(call.query.get("continue")?).ok()?;
        u64::try_from(token.rv).ok()
    })
}

/// Refuses a version that is yet to come.
pub(crate) fn reached(call: &Call, store: &Store) -> Result<(), Status> {
    match awaited(call) {
        Some(version) if version > store.version() => Err(too_large(version, store.version())),
        _ => Ok(()),
    }
}

/// The resourceVersion of a get or a watch.
pub(crate) fn version(call: &Call) -> Result<Option<u64>, Status> {
    let text = call.query.get("resourceVersion");
    text.map(|text| number(text).map_err(|why| Status::new(500, "", why)))
        .transpose()
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let why = if digits { "value out of range" } else { "invalid syntax" };
        format!("resourceVersion: Invalid value: \"{text}\": strconv.ParseUint: parsing \"{text}\": {why}")
    })
}

/// What a list or a watch is about, its options checked in the order in which a real server does it.
pub(crate) fn selection(store: &Store, call: &Call, kind: &Kind) -> Result<Selection, Status> {
    for number in ["timeoutSeconds", "limit"] {
        call.query.number(number)?;
    }
    let selection = Selection::parse(&call.query)?;
    validate(call)?;
    selection.supported(store, kind)
}

/// Checks which options go together.
fn validate(call: &Call) -> Result<(), Status> {
    const MATCH: &str = "resourceVersionMatch";
    let query = &call.query;
    let (wanted, version) = (query.get(MATCH), query.get("resourceVersion"));
    let watch = call.verb == "watch";
    let initial = query.has("sendInitialEvents");
    let mut causes: Vec<Cause> = Vec::new();
    let mut refuse = |refused: bool, cause: Cause| causes.extend(refused.then_some(cause));
    if watch {
        // without options a watch begins with what there is, which counts as if it had been asked for
        let implied = !initial && wanted.is_none() && matches!(version, None | Some("0"));
        let needs = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        refuse(initial && wanted != Some("NotOlderThan"), forbidden_field(MATCH, needs));
        let unless = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
        refuse(wanted.is_some() && !initial, forbidden_field(MATCH, unless));
        refuse(
            wanted.is_some_and(|wanted| wanted != "NotOlderThan"),
            unsupported_field(MATCH, wanted.unwrap_or_default(), &["NotOlderThan"]),
        );
        let with = "resourceVersionMatch is forbidden when continue is provided";
        refuse(
            (implied || wanted.is_some()) && query.get("continue").is_some(),
            forbidden_field(MATCH, with),
        );
    } else {
        if let Some(wanted) = wanted {
            let unless = "resourceVersionMatch is forbidden unless resourceVersion is provided";
            refuse(version.is_none(), forbidden_field(MATCH, unless));
            let with = "resourceVersionMatch is forbidden when continue is provided";
            refuse(query.get("continue").is_some(), forbidden_field(MATCH, with));
            let supported = ["Exact", "NotOlderThan", ""];
            refuse(
                !supported.contains(&wanted),
                unsupported_field(MATCH, wanted, &supported),
            );
            let zero = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
            refuse(wanted == "Exact" && version == Some("0"), forbidden_field(MATCH, zero));
        }
        let list = "sendInitialEvents is forbidden for list";
        refuse(initial, forbidden_field("sendInitialEvents", list));
    }
    if causes.is_empty() {
        Ok(())
    } else {
        Err(invalid_all("meta.k8s.io", "ListOptions", "", &causes))
    }
}
