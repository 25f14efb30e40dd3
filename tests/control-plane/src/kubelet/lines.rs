//! From what is in a log to what is shown of it: which lines, with which times.

use std::borrow::Cow;

use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use super::cri::{self, Message, Writer};
use super::options::Options;

/// How the lines of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// As container runtimes write them.
    Cri,
    /// The text alone.
    Plain,
}

impl Format {
    /// What the first line of a file says about all of them.
    pub(crate) fn of(line: &[u8]) -> Self {
        match cri::parse(line) {
            Some(_) => Self::Cri,
            None => Self::Plain,
        }
    }
}

/// When plain lines were printed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    /// When the run began.
    pub(crate) began: Timestamp,
    /// When it ended, or now.
    pub(crate) until: Timestamp,
}

impl Span {
    /// The time of a line by its number in the log.
    fn at(&self, index: u64) -> Timestamp {
        let after = SignedDuration::from_secs(i64::try_from(index).unwrap_or(i64::MAX));
        self.began
            .checked_add(after)
            .map_or(self.until, |time| time.min(self.until))
    }
}

/// The lines of one log, fed in pieces.
#[derive(Debug)]
pub(crate) struct Lines {
    /// Known with the first line.
    format: Option<Format>,
    /// The beginning of a line whose end is not there yet.
    rest: Vec<u8>,
    /// How many lines there were.
    seen: u64,
    /// How many of the first lines are not shown.
    skip: u64,
    /// How many lines may still be shown.
    take: Option<u64>,
    writer: Writer,
    out: Vec<u8>,
}

impl Lines {
    /// The lines that a request asks for. `length` is how many there are, asked for only when it matters.
    pub(crate) fn new(options: &Options, length: u64) -> Self {
        Self {
            format: None,
            rest: Vec::new(),
            seen: 0,
            skip: options.tail.map_or(0, |tail| length.saturating_sub(tail)),
            take: options.tail.filter(|_| !options.follow),
            writer: Writer::new(options.since, options.timestamps, options.limit),
            out: Vec::new(),
        }
    }

    /// Whether there was no line yet.
    pub(crate) fn untouched(&self) -> bool {
        self.seen == 0 && self.rest.is_empty()
    }

    /// Whether nothing that may come will be shown.
    pub(crate) fn done(&self) -> bool {
        self.take == Some(0) || self.writer.full()
    }

    /// What there is to be sent since the last time.
    pub(crate) fn output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Begins with a file anew that has replaced the one before.
    pub(crate) fn replaced(&mut self) {
        self.format = None;
        self.rest.clear();
    }

    /// Takes the next bytes of a file. A line counts when its end is there.
    pub(crate) fn feed(&mut self, bytes: &[u8], span: &Span) {
        let mut bytes = bytes;
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            let (line, after) = bytes.split_at(end + 1);
            bytes = after;
            if self.rest.is_empty() {
                self.line(line, span);
            } else {
                let mut whole = std::mem::take(&mut self.rest);
                whole.extend_from_slice(line);
                self.line(&whole, span);
            }
        }
        self.rest.extend_from_slice(bytes);
    }

    /// Takes a whole log that is not in a file: what is new in it.
    pub(crate) fn text(&mut self, text: &str, span: &Span) {
        let seen = usize::try_from(self.seen).unwrap_or(usize::MAX);
        for line in text.lines().skip(seen) {
            self.plain(line.as_bytes(), span);
        }
    }

    /// Nothing more comes: a last line without an end counts, except where a follower of a runtime's log would still wait
    /// for its end.
    pub(crate) fn end(&mut self, follow: bool, span: &Span) {
        let rest = std::mem::take(&mut self.rest);
        let format = self.format.unwrap_or_else(|| Format::of(&rest));
        let awaited = follow && format == Format::Cri;
        if !rest.is_empty() && !awaited {
            self.line(&rest, span);
        }
    }

    fn line(&mut self, line: &[u8], span: &Span) {
        match *self.format.get_or_insert_with(|| Format::of(line)) {
            Format::Cri => match cri::parse(line) {
                Some(message) => self.show(&message),
                // the kubelet complains in its own log, and does not count the line as shown
                None => self.seen += 1,
            },
            Format::Plain => self.plain(line.strip_suffix(b"\n").unwrap_or(line), span),
        }
    }

    fn plain(&mut self, line: &[u8], span: &Span) {
        let time = span.at(self.seen);
        let mut text = match str::from_utf8(line) {
            Ok(text) if text.contains("{time}") => {
                let time = time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
                text.replace("{time}", &time).into_bytes()
            }
            _ => line.to_vec(),
        };
        text.push(b'\n');
        self.show(&Message {
            time,
            offset: Offset::UTC,
            text: Cow::Owned(text),
        });
    }

    fn show(&mut self, message: &Message<'_>) {
        self.seen += 1;
        if self.seen <= self.skip || self.done() {
            return;
        }
        self.writer.write(message, &mut self.out);
        if let Some(take) = &mut self.take {
            *take -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span {
        began: Timestamp::UNIX_EPOCH,
        until: Timestamp::constant(2, 500_000_000),
    };
    const CRI: &str = "1970-01-01T00:00:00Z stdout F a\n1970-01-01T00:00:01Z stdout P b\nbroken\n\
                       1970-01-01T00:00:02Z stderr F c\n1970-01-01T00:00:03Z stdout F d";

    fn shown(lines: &mut Lines) -> String {
        String::from_utf8(lines.output()).unwrap()
    }

    /// Everything that is shown of a file, whatever pieces it comes in.
    fn file(text: &str, length: u64, options: &Options) -> String {
        let mut seen = Vec::new();
        for size in [1, 7, 4096] {
            let mut lines = Lines::new(options, length);
            for piece in text.as_bytes().chunks(size) {
                lines.feed(piece, &SPAN);
            }
            lines.end(options.follow, &SPAN);
            seen.push(shown(&mut lines));
        }
        assert!(seen.iter().all(|text| *text == seen[0]), "{seen:?}");
        seen.swap_remove(0)
    }

    #[test]
    fn the_tail_counts_lines_of_the_file() {
        let tail = |tail| Options {
            tail: Some(tail),
            ..Options::default()
        };
        assert_eq!(file(CRI, 4, &Options::default()), "a\nbc\nd");
        assert_eq!(file(CRI, 4, &tail(9)), "a\nbc\nd");
        // without its end the last line is not one of them, and one that cannot be read is
        assert_eq!(file(CRI, 4, &tail(1)), "c\n");
        assert_eq!(file(CRI, 4, &tail(2)), "c\nd");
        assert_eq!(file(CRI, 4, &tail(0)), "");
        assert_eq!(file("x\ny\nz", 3, &tail(2)), "y\nz\n");
        let follow = Options {
            follow: true,
            ..tail(1)
        };
        assert_eq!(file(CRI, 4, &follow), "c\n");
        assert_eq!(file("x\ny\nz", 3, &follow), "z\n");
    }

    #[test]
    fn plain_lines_are_a_second_apart_and_never_to_come() {
        let options = Options {
            timestamps: true,
            ..Options::default()
        };
        assert_eq!(
            file("a\n\n{time} c\nd {time}\n", 4, &options),
            "1970-01-01T00:00:00.000000000Z a\n1970-01-01T00:00:01.000000000Z \n\
             1970-01-01T00:00:02.000000000Z 1970-01-01T00:00:02Z c\n\
             1970-01-01T00:00:02.500000000Z d 1970-01-01T00:00:02Z\n"
        );
        let since = Options {
            since: Some(Timestamp::constant(2, 0)),
            ..Options::default()
        };
        assert_eq!(file("a\nb\nc\nd\n", 4, &since), "c\nd\n");
    }

    #[test]
    fn a_text_that_grows_is_shown_once() {
        let mut lines = Lines::new(
            &Options {
                follow: true,
                tail: Some(1),
                ..Options::default()
            },
            2,
        );
        lines.text("a\nb", &SPAN);
        assert_eq!(shown(&mut lines), "b\n");
        lines.text("a\nb", &SPAN);
        lines.text("", &SPAN);
        assert_eq!(shown(&mut lines), "");
        lines.text("a\nb\nc\nd", &SPAN);
        assert_eq!(shown(&mut lines), "c\nd\n");
    }

    #[test]
    fn a_limit_ends_the_log() {
        let mut lines = Lines::new(
            &Options {
                limit: Some(3),
                ..Options::default()
            },
            0,
        );
        lines.feed(b"abc\n", &SPAN);
        lines.feed(b"def\n", &SPAN);
        assert!(lines.done());
        assert_eq!(shown(&mut lines), "abc");
    }
}
