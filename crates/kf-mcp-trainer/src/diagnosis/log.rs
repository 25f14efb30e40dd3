//! What the last lines of a training say about its end: the exception and where in the user's program it came from, time-outs
//! between nodes, memory of the GPU. Only what libraries print themselves is recognised; nothing is guessed.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

/// As many lines as one cause quotes.
const MOST_QUOTED: usize = 4;

/// What the lines say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// One word, as findings are called.
    pub(crate) code: &'static str,
    /// In words.
    pub(crate) what: String,
    /// The lines that say so.
    pub(crate) lines: Vec<String>,
}

/// A word for what lines with one of the patterns say.
struct Sign {
    code: &'static str,
    what: &'static str,
    pattern: &'static LazyLock<Option<Regex>>,
}

macro_rules! patterns {
    ($($name:ident = $pattern:expr;)*) => {$(
        static $name: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new($pattern).ok());
    )*};
}

patterns! {
    GPU_MEMORY = r"CUDA out of memory|OutOfMemoryError: (CUDA|HIP|XPU) |HIP out of memory|RESOURCE_EXHAUSTED: .*[Oo]ut of memory|CUDA error: out of memory";
    SHARED_MEMORY = r"insufficient shared memory|unable to (open|write to|allocate) .*shared memory|No space left on device.*/dev/shm|Bus error.*shared memory";
    KILLED = r"Signal 9 \(SIGKILL\) received by PID|exitcode *: -9\b|is killed by signal: Killed|died with <Signals\.SIGKILL";
    NCCL = r"[Ww]atchdog caught collective operation timeout|NCCL (error|WARN .*(timeout|failed))|ncclRemoteError|ncclSystemError|ncclInternalError|ncclUnhandledCudaError|DistBackendError|Some NCCL operations have failed or timed out|NCCL communicator was aborted";
    RENDEZVOUS = r"RendezvousTimeoutError|RendezvousConnectionError|DistStoreError|DistNetworkError|Timed out (after \d+ seconds )?waiting for clients|client socket has timed out|failed to connect to .*:29500|barrier timed out|Connect timeout \[";
    EXCEPTION = r"^[A-Za-z_][\w.]*(Error|Exception|Interrupt|Exit|Failure|Timeout)\b(:|$)";
    FRAME = r#"^\s+File "(?P<file>[^"]+)", line (?P<line>\d+)(, in (?P<in>.+))?"#;
    PREFIX = r"^(?P<who>\[(rank|default|node)?\d+\]:?|\[[^\]]{0,40},\d+\]<std(err|out)>:) ?(?P<rest>.*)$";
}

/// In the order in which one is the cause of the other.
const SIGNS: [Sign; 5] = [
    Sign {
        code: "GpuOutOfMemory",
        what: "the GPU's own memory was not enough",
        pattern: &GPU_MEMORY,
    },
    Sign {
        code: "SharedMemory",
        what: "/dev/shm is too small for what the data loaders share",
        pattern: &SHARED_MEMORY,
    },
    Sign {
        code: "ProcessKilled",
        what: "a process of the training was killed with signal 9 inside its container: the kernel does that to one that uses \
               too much memory",
        pattern: &KILLED,
    },
    Sign {
        code: "NcclTimeout",
        what: "a collective operation between the nodes failed or timed out: one of them was slow, stuck, gone or not reachable",
        pattern: &NCCL,
    },
    Sign {
        code: "Rendezvous",
        what: "the nodes did not find each other in time",
        pattern: &RENDEZVOUS,
    },
];

/// Reads the lines, oldest first, already cleaned. What comes first is the cause of what follows.
pub(crate) fn read(lines: &[String]) -> Vec<Told> {
    let mut told: Vec<Told> = SIGNS.iter().filter_map(|sign| sign.told(lines)).collect();
    if let Some(trace) = exception(lines) {
        // An exception that only repeats one of the signs is evidence for it, and no cause of its own.
        let sign = SIGNS.iter().find(|sign| is(sign.pattern, &trace.line));
        match sign.and_then(|sign| told.iter_mut().find(|told| told.code == sign.code)) {
            Some(told) => told.lines.extend(trace.frame.map(|frame| frame.line)),
            None => {
                let rank = |told: &Told| matches!(told.code, "NcclTimeout" | "Rendezvous");
                let at = told.iter().position(rank).unwrap_or(told.len());
                told.insert(at, trace.told());
            }
        }
    }
    told
}

impl Sign {
    /// The first lines with the sign: later ones are of the same.
    fn told(&self, lines: &[String]) -> Option<Told> {
        let found = lines.iter().filter(|line| is(self.pattern, line));
        let lines: Vec<String> = found.take(MOST_QUOTED - 1).cloned().collect();
        (!lines.is_empty()).then(|| Told {
            code: self.code,
            what: self.what.to_owned(),
            lines,
        })
    }
}

fn is(pattern: &LazyLock<Option<Regex>>, line: &str) -> bool {
    pattern.as_ref().is_some_and(|pattern| pattern.is_match(line))
}

/// A place in a program.
#[derive(Debug, Clone)]
struct Frame {
    file: String,
    number: String,
    line: String,
}

impl Frame {
    fn of(line: &str) -> Option<Self> {
        let found = FRAME.as_ref()?.captures(line)?;
        Some(Self {
            file: found["file"].to_owned(),
            number: found["line"].to_owned(),
            line: line.trim().to_owned(),
        })
    }

    /// Whether it is in what the user wrote, and not in a library.
    fn is_users(&self) -> bool {
        let libraries = [
            "/site-packages/",
            "/dist-packages/",
            "/lib/python",
            "<frozen ",
            "/conda/lib/",
        ];
        !libraries.iter().any(|library| self.file.contains(library))
    }
}

/// An exception that nobody caught.
#[derive(Debug)]
struct Trace {
    /// `ValueError: no such column`.
    line: String,
    /// The innermost place in the user's program.
    frame: Option<Frame>,
}

impl Trace {
    /// Launchers report the failure of what they launched as an exception of their own.
    fn is_launchers(&self) -> bool {
        [
            "ChildFailedError",
            "CalledProcessError",
            "SignalException",
            "ProcessRaisedException",
            "ProcessExitedException",
        ]
        .iter()
        .any(|name| self.line.contains(name))
    }

    fn told(self) -> Told {
        let at = self
            .frame
            .as_ref()
            .map(|frame| format!(" ({} line {})", frame.file, frame.number));
        Told {
            code: "PythonException",
            what: format!("the program ended with an exception{}", at.unwrap_or_default()),
            lines: self
                .frame
                .map(|frame| frame.line)
                .into_iter()
                .chain([self.line])
                .collect(),
        }
    }
}

/// The exception that ended the program: the last, but not one of the launcher about another, and not one about a
/// connection that broke because another node had failed before.
fn exception(lines: &[String]) -> Option<Trace> {
    let mut traces = traces(lines);
    traces.retain(|trace| !trace.is_launchers());
    let follows = |trace: &Trace| {
        is(&NCCL, &trace.line) || is(&RENDEZVOUS, &trace.line) || trace.line.contains("Connection reset by peer")
    };
    let own = traces.iter().rposition(|trace| !follows(trace));
    let at = own.or(traces.len().checked_sub(1))?;
    (at < traces.len()).then(|| traces.swap_remove(at))
}

/// All exceptions, in the order in which their last lines were printed. Processes that print at the same time are told
/// apart by what their launcher puts before each line.
fn traces(lines: &[String]) -> Vec<Trace> {
    let mut open: BTreeMap<&str, Open> = BTreeMap::new();
    let mut traces = Vec::new();
    for line in lines {
        let (who, rest) = prefix(line);
        let mut begun = open.iter().filter(|(_, of)| of.begun && !of.frames.is_empty());
        let lone = begun.next().map(|(who, _)| *who).filter(|_| begun.next().is_none());
        let of = open.entry(who).or_default();
        if rest.trim_start().starts_with("Traceback (most recent call last)") {
            *of = Open {
                begun: true,
                frames: Vec::new(),
            };
        } else if let Some(frame) = Frame::of(rest) {
            of.frames.push(frame);
        } else if rest.trim().is_empty() || rest.starts_with([' ', '\t']) {
            // The source of a frame, or a blank line between two parts.
        } else {
            // The first line that is not indented is the exception. Without frames it must look like one.
            let named = is(&EXCEPTION, rest);
            // A launcher may leave out the mark before the last line.
            let of = match lone {
                Some(other) if named && who.is_empty() && !of.begun => open.entry(other).or_default(),
                _ => open.entry(who).or_default(),
            };
            if named || of.begun && !of.frames.is_empty() {
                let frames = std::mem::take(&mut of.frames);
                let users = frames.iter().rev().find(|frame| frame.is_users()).cloned();
                if of.begun || users.is_some() {
                    traces.push(Trace {
                        line: rest.trim_end().to_owned(),
                        frame: users,
                    });
                }
            }
            *of = Open::default();
        }
    }
    traces
}

/// A traceback that is being printed.
#[derive(Debug, Default)]
struct Open {
    begun: bool,
    frames: Vec<Frame>,
}

/// What a launcher puts before each line of a process, and the rest.
fn prefix(line: &str) -> (&str, &str) {
    let found = PREFIX.as_ref().and_then(|pattern| pattern.captures(line));
    let parts = found.and_then(|found| Some((found.name("who")?.as_str(), found.name("rest")?.as_str())));
    parts.unwrap_or(("", line))
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
