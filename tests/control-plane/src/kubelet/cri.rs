//! One line of a log file as container runtimes write it, and how the kubelet shows it.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::fmt::temporal::Pieces;
use jiff::tz::{Offset, TimeZone};

/// What was printed at one time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    /// When.
    pub(crate) time: Timestamp,
    /// The offset that the time is shown with: the one it was written with.
    pub(crate) offset: Offset,
    /// The text, with its newline unless more of the same line follows.
    pub(crate) text: Cow<'a, [u8]>,
}

/// Reads `TIME stdout|stderr TAGS TEXT`, the newline included when the line has one. `None` when it is not that.
pub(crate) fn parse(line: &[u8]) -> Option<Message<'_>> {
    let mut parts = line.splitn(4, |&byte| byte == b' ');
    let (time, stream, tags, text) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let time = str::from_utf8(time).ok()?;
    let pieces = Pieces::parse(time).ok()?;
    let offset = pieces.to_numeric_offset()?;
    let time = pieces.date().to_datetime(pieces.time()?);
    if stream != b"stdout" && stream != b"stderr" {
        return None;
    }
    let partial = tags.split(|&byte| byte == b':').next() == Some(b"P");
    let text = match text {
        [text @ .., b'\n'] if partial => text,
        text => text,
    };
    Some(Message {
        time: offset.to_timestamp(time).ok()?,
        offset,
        text: Cow::Borrowed(text),
    })
}

/// Writes messages as the request wants them.
#[derive(Debug)]
pub(crate) struct Writer {
    /// What is older is left out.
    pub(crate) since: Option<Timestamp>,
    /// Whether lines begin with their time.
    pub(crate) timestamps: bool,
    /// How many bytes may still be written.
    pub(crate) left: Option<usize>,
    /// Whether the last message was in the middle of a line.
    within: bool,
}

impl Writer {
    /// A writer that has written nothing.
    pub(crate) fn new(since: Option<Timestamp>, timestamps: bool, left: Option<usize>) -> Self {
        Self {
            since,
            timestamps,
            left,
            within: false,
        }
    }

    /// Whether nothing more may be written.
    pub(crate) fn full(&self) -> bool {
        self.left == Some(0)
    }

    /// Writes a message, cut where the limit is reached.
    pub(crate) fn write(&mut self, message: &Message<'_>, out: &mut Vec<u8>) {
        let within = std::mem::replace(&mut self.within, message.text.last().is_some_and(|&byte| byte != b'\n'));
        if self.since.is_some_and(|since| message.time < since) {
            return;
        }
        let before = out.len();
        if self.timestamps && !within {
            out.extend_from_slice(stamp(message.time, message.offset).as_bytes());
            out.push(b' ');
        }
        out.extend_from_slice(&message.text);
        if let Some(left) = &mut self.left {
            out.truncate(before.saturating_add(*left));
            *left -= out.len() - before;
        }
    }
}

/// A time with nine digits of a second always.
fn stamp(time: Timestamp, offset: Offset) -> String {
    let format = if offset == Offset::UTC {
        "%Y-%m-%dT%H:%M:%S%.9fZ"
    } else {
        "%Y-%m-%dT%H:%M:%S%.9f%:z"
    };
    time.to_zoned(TimeZone::fixed(offset)).strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(writer: &mut Writer, lines: &[&str]) -> String {
        let mut out = Vec::new();
        for line in lines {
            writer.write(&parse(line.as_bytes()).unwrap(), &mut out);
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_is_time_stream_tags_text() {
        let line = parse(b"2026-11-21T02:00:00.5Z stderr F:x  two words \n").unwrap();
        assert_eq!(line.time, "2026-11-21T02:00:00.5Z".parse().unwrap());
        assert_eq!(line.text.as_ref(), b" two words \n");
        for other in [
            "plain text with words\n",
            "2026-11-21T02:00:00Z stdlog F text\n",
            "2026-11-21T02:00:00Z stdout F\n",
            "2026-11-21T02:00:00 stdout F no offset\n",
            "2026-11-21 stdout F no time\n",
            "\n",
            "",
        ] {
            assert_eq!(parse(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn parts_of_a_line_have_one_time() {
        let lines = [
            "2026-11-21T02:00:00Z stdout P on\n",
            "2026-11-21T02:00:01Z stdout F e\n",
            "2026-11-21T04:00:02+02:00 stdout F two\n",
        ];
        assert_eq!(shown(&mut Writer::new(None, false, None), &lines), "one\ntwo\n");
        assert_eq!(
            shown(&mut Writer::new(None, true, None), &lines),
            "2026-11-21T02:00:00.000000000Z one\n2026-11-21T04:00:02.000000000+02:00 two\n"
        );
        // what is exactly as old as asked for is shown, and a line may begin in its middle
        let since = "2026-11-21T02:00:01Z".parse().unwrap();
        assert_eq!(
            shown(&mut Writer::new(Some(since), true, None), &lines),
            "e\n2026-11-21T04:00:02.000000000+02:00 two\n"
        );
    }

    #[test]
    fn the_limit_counts_times_and_cuts_lines() {
        let lines = [
            "2026-11-21T02:00:00Z stdout F one\n",
            "2026-11-21T02:00:01Z stdout F two\n",
        ];
        let mut writer = Writer::new(None, false, Some(6));
        assert_eq!(shown(&mut writer, &lines), "one\ntw");
        assert!(writer.full());
        let mut writer = Writer::new(None, true, Some(33));
        assert_eq!(shown(&mut writer, &lines), "2026-11-21T02:00:00.000000000Z on");
        assert!(writer.full());
    }
}
