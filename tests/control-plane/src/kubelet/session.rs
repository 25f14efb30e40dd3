//! One answer with a log: what there is, and while it is followed what comes.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream, Stream, StreamExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod};
use tokio_util::sync::CancellationToken;

use super::file::LogFile;
use super::lines::{Lines, Span};
use super::options::Options;
use super::run::{Run, Words};

/// How often a file that is followed is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// What a log is read for.
pub(crate) struct Asked {
    /// The pod.
    pub(crate) pod: Pod,
    /// The container's name.
    pub(crate) container: String,
    /// The run of it.
    pub(crate) run: Run,
    /// Where prepared logs of the container are.
    pub(crate) dir: PathBuf,
}

/// A log that is being read.
pub(crate) struct Session {
    asked: Asked,
    lines: Lines,
    /// Once there is a file, everything is read from it.
    file: Option<LogFile>,
    follow: bool,
    /// What becomes of the pod, while a run that goes on is followed.
    changes: Option<BoxStream<'static, Pod>>,
    over: bool,
    closing: CancellationToken,
}

impl Session {
    /// Finds the log. `changes` is for those who follow.
    pub(crate) async fn open(
        asked: Asked,
        options: &Options,
        changes: Option<BoxStream<'static, Pod>>,
        closing: CancellationToken,
    ) -> io::Result<Self> {
        let mut file = asked.file().await?;
        let length = match &mut file {
            None => asked.text().map_or(0, |text| text.lines().count() as u64),
            // the whole file is read for it
            Some(file) if options.tail.is_some() => file.length().await?,
            Some(_) => 0,
        };
        Ok(Self {
            asked,
            lines: Lines::new(options, length),
            file,
            follow: options.follow,
            changes,
            over: false,
            closing,
        })
    }

    /// The log, in pieces.
    pub(crate) fn stream(self) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        stream::unfold(self, async |mut session| {
            let piece = session.next().await.transpose()?;
            Some((piece.map(Bytes::from), session))
        })
    }

    async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        while !self.over && !self.lines.done() {
            // First whether it goes on and then what there is: the other way round the last words could be missed.
            let goes_on = self.changes.is_some();
            let more = self.read().await?;
            if !more && !goes_on {
                self.lines.end(self.follow, &self.asked.span());
                self.over = true;
            }
            let output = self.lines.output();
            if !output.is_empty() {
                return Ok(Some(output));
            }
            if !more && goes_on && !self.lines.done() {
                self.wait().await;
            }
        }
        Ok(None)
    }

    /// Takes what there is, at most one piece of a file. Says whether there may be more.
    async fn read(&mut self) -> io::Result<bool> {
        let span = self.asked.span();
        if self.file.is_none() && self.lines.untouched() {
            self.file = self.asked.file().await?;
        }
        let Some(file) = &mut self.file else {
            if let Some(text) = self.asked.text() {
                self.lines.text(text, &span);
            }
            return Ok(false);
        };
        let piece = file.read().await?;
        self.lines.feed(piece, &span);
        if !piece.is_empty() {
            return Ok(true);
        }
        if self.follow && file.reopen().await? {
            self.lines.replaced();
            return Ok(true);
        }
        Ok(false)
    }

    /// Waits until there may be more to read or the run has ended.
    async fn wait(&mut self) {
        let Some(changes) = &mut self.changes else { return };
        // no message says that a file has grown
        let files = self.file.is_some() || self.lines.untouched();
        tokio::select! {
            pod = changes.next() => {
                if let Some(pod) = pod {
                    self.asked.run.update(&pod, &self.asked.container);
                    self.asked.pod = pod;
                } else {
                    self.asked.run.running = false;
                }
                if !self.asked.run.running {
                    self.changes = None;
                }
            }
            () = tokio::time::sleep(LOOK), if files => {}
            () = self.closing.cancelled() => self.over = true,
        }
    }
}

impl Asked {
    /// The prepared file, if there is one before any text of the pod.
    async fn file(&self) -> io::Result<Option<LogFile>> {
        for source in self.run.words.sources() {
            let file = LogFile::open(self.dir.join(source.file)).await?;
            if file.is_some() || self.annotation(source).is_some() {
                return Ok(file);
            }
        }
        Ok(None)
    }

    /// What the pod itself says.
    fn text(&self) -> Option<&str> {
        let sources = self.run.words.sources();
        let annotated = sources.iter().find_map(|source| self.annotation(source));
        annotated.or_else(|| {
            let env = container(&self.pod, &self.container)?.env.as_ref()?;
            let var = env.iter().find(|var| var.name == "SIM_LOG")?;
            var.value.as_deref()
        })
    }

    fn annotation(&self, source: &Source) -> Option<&str> {
        let annotations = self.pod.metadata.annotations.as_ref()?;
        annotations.get(source.annotation).map(String::as_str)
    }

    fn span(&self) -> Span {
        let now = Timestamp::now();
        Span {
            began: self.run.began.unwrap_or(now),
            until: self.run.ended.map_or(now, |ended| ended.min(now)),
        }
    }
}

/// A container of a pod's spec.
pub(crate) fn container<'a>(pod: &'a Pod, name: &str) -> Option<&'a Container> {
    let spec = pod.spec.as_ref()?;
    let mut all = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    all.find(|container| container.name == name)
}

/// Where the words of a run are, the file before the annotation.
struct Source {
    file: &'static str,
    annotation: &'static str,
}

const CURRENT: Source = Source {
    file: "log",
    annotation: "sim/log",
};
const PREVIOUS: Source = Source {
    file: "previous",
    annotation: "sim/previous-log",
};

impl Words {
    fn sources(self) -> &'static [Source] {
        match self {
            Self::Current => &[CURRENT],
            Self::Previous => &[PREVIOUS],
            Self::Ended => &[PREVIOUS, CURRENT],
        }
    }
}
