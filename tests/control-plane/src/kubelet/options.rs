//! What may be asked of a log, and how the kubelet refuses what may not.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};

/// A refusal: its status, and words for whoever asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) StatusCode, pub(crate) String);

impl Refusal {
    /// A refusal with status 400.
    pub(crate) fn bad(words: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, words.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, self.1).into_response()
    }
}

/// What a request asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// To go on while the container runs.
    pub(crate) follow: bool,
    /// The run before the last restart.
    pub(crate) previous: bool,
    /// Lines with their times.
    pub(crate) timestamps: bool,
    /// Only so many of the last lines of the file.
    pub(crate) tail: Option<u64>,
    /// At most so many bytes.
    pub(crate) limit: Option<usize>,
    /// Nothing that is older.
    pub(crate) since: Option<Timestamp>,
}

impl Options {
    /// Reads a query. Of a parameter that is given twice the first one counts, and unknown ones do not count at all.
    pub(crate) fn parse(query: &str, now: Timestamp) -> Result<Self, Refusal> {
        let query: Vec<(Cow<'_, str>, Cow<'_, str>)> = form_urlencoded::parse(query.as_bytes()).collect();
        let value = |name: &str| {
            query
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.as_ref())
        };
        let flag = |name| value(name).is_some_and(|value| value != "0" && !value.eq_ignore_ascii_case("false"));
        let number = |name| value(name).map(str::parse::<i64>).transpose().map_err(|_| unreadable());
        // the older name of the parameter wins
        let tail = match value("tail").filter(|tail| !tail.is_empty()) {
            Some("all") => None,
            Some(tail) => Some(tail.parse::<i64>().map_err(|_| unreadable())?),
            None => number("tailLines")?,
        };
        let (limit, seconds) = (number("limitBytes")?, number("sinceSeconds")?);
        let time = value("sinceTime").map(time).transpose()?;
        let stream = value("stream");
        let valid = tail.is_none_or(|tail| tail >= 0)
            && limit.is_none_or(|limit| limit >= 1)
            && seconds.is_none_or(|seconds| seconds >= 1)
            && (seconds.is_none() || time.is_none())
            && stream
                .is_none_or(|stream| stream == "All" || (["Stdout", "Stderr"].contains(&stream) && tail.is_none()));
        if !valid {
            let words = r#"{"message": "Invalid request."}"#;
            return Err(Refusal(StatusCode::UNPROCESSABLE_ENTITY, words.to_owned()));
        }
        if let Some(stream) = stream.filter(|&stream| stream != "All") {
            return Err(Refusal::bad(format!(
                "unable to return the given log stream: {stream:?}. Please enable PodLogsQuerySplitStreams feature gate \
                 in kubelet"
            )));
        }
        let ago = |seconds| {
            now.saturating_sub(SignedDuration::from_secs(seconds))
                .unwrap_or(Timestamp::MIN)
        };
        Ok(Self {
            follow: flag("follow"),
            previous: flag("previous"),
            timestamps: flag("timestamps"),
            tail: tail.and_then(|tail| u64::try_from(tail).ok()),
            limit: limit.and_then(|limit| usize::try_from(limit).ok()),
            since: seconds.map(ago).or(time),
        })
    }
}

/// A time; none at all is the beginning of time, as in Go.
fn time(value: &str) -> Result<Timestamp, Refusal> {
    match value {
        "" | "null" => Ok(Timestamp::MIN),
        value => value.parse().map_err(|_| unreadable()),
    }
}

fn unreadable() -> Refusal {
    Refusal::bad(r#"{"message": "Unable to decode query."}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<Options, Refusal> {
        Options::parse(query, at("2026-11-21T02:00:00Z"))
    }

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    #[test]
    fn options_are_read_as_go_reads_them() {
        assert_eq!(parse("").unwrap(), Options::default());
        let all = parse("follow=&previous=yes&timestamps=TRUE&tailLines=0&limitBytes=7&sinceSeconds=60").unwrap();
        assert!(all.follow && all.previous && all.timestamps);
        assert_eq!((all.tail, all.limit), (Some(0), Some(7)));
        assert_eq!(all.since, Some(at("2026-11-21T01:59:00Z")));
        assert!(!parse("follow=False").unwrap().follow && !parse("follow=0").unwrap().follow);
        let zone = parse("sinceTime=2026-11-21T03%3A00%3A00%2B02%3A00").unwrap();
        assert_eq!(zone.since, Some(at("2026-11-21T01:00:00Z")));
        assert_eq!(parse("sinceTime=").unwrap().since, Some(Timestamp::MIN));
        assert_eq!(parse("tail=3&tailLines=9").unwrap().tail, Some(3));
        assert_eq!(parse("tail=all&tailLines=9").unwrap().tail, None);
        assert_eq!(parse("stream=All&tailLines=1").unwrap().tail, Some(1));
    }

    #[test]
    fn refusals_have_the_kubelets_words() {
        let unreadable = Refusal::bad(r#"{"message": "Unable to decode query."}"#);
        for query in [
            "tailLines=x",
            "limitBytes=1.5",
            "sinceSeconds=",
            "sinceTime=yesterday",
            "tail=some",
        ] {
            assert_eq!(parse(query).unwrap_err(), unreadable, "{query}");
        }
        for query in [
            "tailLines=-1",
            "limitBytes=0",
            "sinceSeconds=0",
            "sinceSeconds=1&sinceTime=2026-11-21T03:00:00Z",
            "stream=Other",
            "stream=Stdout&tailLines=1",
        ] {
            let refusal = parse(query).unwrap_err();
            assert_eq!(
                (refusal.0.as_u16(), refusal.1.as_str()),
                (422, r#"{"message": "Invalid request."}"#),
                "{query}"
            );
        }
        assert!(
            parse("stream=Stderr")
                .unwrap_err()
                .1
                .contains("log stream: \"Stderr\".")
        );
    }
}
