//! A control plane from outside: starting it, finding it, using it, ending it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::api::Api;
use crate::audit::Audit;
use crate::layout::{Layout, State};
use crate::pki::{Authority, write_secret};
use crate::process::Id;
use crate::tools::Tools;

/// How long starting may take, with a busy machine in mind.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(50);

/// A control plane that runs.
#[derive(Debug, Clone)]
pub struct Plane {
    layout: Layout,
    state: State,
}

/// A control plane that was started here. When it was tied, it ends with this value, and with this process.
#[derive(Debug)]
pub struct Up {
    /// What was started.
    pub plane: Plane,
    supervisor: Child,
    tie: Option<ChildStdin>,
}

impl Plane {
    /// Starts a control plane in a directory, in a process of its own. What a dead one left there is cleared away.
    ///
    /// # Errors
    /// When one is running there, or something does not start; then nothing is left running.
    pub fn up(layout: &Layout, tools: &Tools, tied: bool) -> Result<Up> {
        // also one that is not ready yet: clearing its place would end it
        if layout.state().is_some_and(|state| state.supervised()) {
            bail!(
                "a control plane runs in {} already: KUBECONFIG={} (`down` ends it)",
                layout.dir().display(),
                layout.kubeconfig().display()
            );
        }
        clear(layout)?;
        let logs = layout.log("supervisor");
        fs::create_dir_all(logs.parent().unwrap_or_else(|| Path::new(".")))
            .context("create the directory of the logs")?;
        layout.write_state(&State::default())?;
        let log = fs::File::create(&logs).context("create the supervisor's log")?;
        let mut command = Command::new(std::env::current_exe().context("find our own program")?);
        command
            .arg("supervise")
            .arg("--dir")
            .arg(layout.dir())
            .arg("--tools")
            .arg(tools.dir())
            .stdin(if tied { Stdio::piped() } else { Stdio::null() })
            .stdout(log.try_clone().context("share the log")?)
            .stderr(log);
        if tied {
            command.arg("--tied");
        }
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut supervisor = command.spawn().context("start the supervisor")?;
        let tie = supervisor.stdin.take();
        match wait_ready(layout, &mut supervisor) {
            Ok(plane) => Ok(Up { plane, supervisor, tie }),
            Err(error) => {
                drop(tie);
                if let Some(id) = Id::of(supervisor.id()) {
                    end(&State {
                        supervisor: Some(id),
                        ..layout.state().unwrap_or_default()
                    });
                }
                supervisor.wait().ok();
                Err(error)
            }
        }
    }

    /// The control plane that runs in a directory.
    ///
    /// # Errors
    /// When there is none, or it is not ready.
    pub fn attach(layout: &Layout) -> Result<Self> {
        let state = layout
            .state()
            .with_context(|| format!("no control plane was started in {}", layout.dir().display()))?;
        if !state.supervised() {
            bail!("the control plane of {} has ended", layout.dir().display());
        }
        if !state.ready {
            bail!("the control plane of {} is not ready", layout.dir().display());
        }
        Ok(Self {
            layout: layout.clone(),
            state,
        })
    }

    /// Ends what runs in a directory, if anything does. The files stay, for reading, until the next start.
    ///
    /// # Errors
    /// When a process does not end.
    pub fn down(layout: &Layout) -> Result<()> {
        let Some(state) = layout.state() else { return Ok(()) };
        end(&state);
        let left: Vec<&str> = state
            .processes
            .iter()
            .filter(|(_, id)| id.alive())
            .map(|(name, _)| name.as_str())
            .collect();
        if !left.is_empty() {
            bail!("these processes do not end: {}", left.join(", "));
        }
        Ok(())
    }

    /// Where its files are.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The kubectl of the same version.
    #[must_use]
    pub fn kubectl(&self) -> PathBuf {
        Tools::in_dir(self.state.tools.clone()).program("kubectl")
    }

    /// The steps of its start: milliseconds since the beginning, and what was there then.
    #[must_use]
    pub fn steps(&self) -> &[(u64, String)] {
        &self.state.steps
    }

    /// Its API server, with all rights and outside the audit log.
    ///
    /// # Errors
    /// When the kubeconfig cannot be used.
    pub async fn api(&self) -> Result<Api> {
        Api::from_file(&self.layout.harness()).await
    }

    /// Its audit log.
    #[must_use]
    pub fn audit(&self) -> Audit {
        Audit::new(self.layout.audit())
    }

    /// A user with these groups and no rights but those that its name and groups are given. The kubeconfig's path.
    ///
    /// # Errors
    /// When the authority or the kubeconfig cannot be read or written.
    pub fn user(&self, name: &str, groups: &[&str], namespace: &str) -> Result<PathBuf> {
        let authority = Authority::read(&self.layout)?;
        let pair = authority.client(name, groups)?;
        let path = self.layout.user(name);
        write_secret(&path, &authority.kubeconfig(self.state.port, &pair, namespace))?;
        Ok(path)
    }

    /// Its processes: name, number, memory in MiB, and whether each runs.
    #[must_use]
    pub fn processes(layout: &Layout) -> Vec<(String, Id, Option<u64>, bool)> {
        let state = layout.state().unwrap_or_default();
        let own = state.supervisor.map(|id| ("supervisor".to_owned(), id));
        own.into_iter()
            .chain(state.processes)
            .map(|(name, id)| {
                let alive = id.alive();
                (name, id, id.memory().filter(|_| alive), alive)
            })
            .collect()
    }
}

impl Up {
    /// Leaves it running by itself. Only one that is not tied can.
    pub fn detach(self) -> Plane {
        self.plane
    }

    /// Whether the supervisor has ended by itself.
    pub fn ended(&mut self) -> bool {
        !matches!(self.supervisor.try_wait(), Ok(None))
    }

    /// Ends it and waits until everything has ended.
    ///
    /// # Errors
    /// When a process does not end.
    pub fn down(mut self) -> Result<()> {
        drop(self.tie.take());
        Plane::down(&self.plane.layout)?;
        self.supervisor.wait().context("wait for the supervisor")?;
        Ok(())
    }
}

fn wait_ready(layout: &Layout, supervisor: &mut Child) -> Result<Plane> {
    let begun = Instant::now();
    loop {
        let state = layout.state().unwrap_or_default();
        if let Some(why) = state.failed {
            bail!(
                "the control plane did not come up: {why}\nIts logs are in {}",
                layout.dir().join("logs").display()
            );
        }
        if state.ready {
            return Plane::attach(layout);
        }
        if let Some(status) = supervisor.try_wait().context("look at the supervisor")? {
            let said = fs::read_to_string(layout.log("supervisor")).unwrap_or_default();
            bail!("the supervisor ended ({status}): {}", said.trim());
        }
        if begun.elapsed() > PATIENCE {
            bail!(
                "the control plane was not ready in {} s; it came to: {:?}",
                PATIENCE.as_secs(),
                state.steps.last()
            );
        }
        std::thread::sleep(LOOK);
    }
}

/// Ends the processes of a control plane: asks the supervisor, and kills what is left after a while.
fn end(state: &State) {
    if let Some(supervisor) = state.supervisor {
        supervisor.terminate();
        gone(&[supervisor], Duration::from_secs(4));
        supervisor.kill();
    }
    // children of a supervisor that was killed end with it; this is for what is in between
    let all: Vec<Id> = state.processes.iter().map(|(_, id)| *id).collect();
    if !gone(&all, Duration::from_millis(500)) {
        for id in &all {
            id.kill();
        }
        gone(&all, Duration::from_millis(500));
    }
}

fn gone(ids: &[Id], patience: Duration) -> bool {
    let begun = Instant::now();
    while ids.iter().any(|id| id.alive()) {
        if begun.elapsed() > patience {
            return false;
        }
        std::thread::sleep(LOOK);
    }
    true
}

/// Removes what a control plane that has ended left behind; anything else stays and is an error.
fn clear(layout: &Layout) -> Result<()> {
    let dir = layout.dir();
    let used = fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
    if used {
        let Some(state) = layout.state() else {
            bail!(
                "{} holds something that is no control plane; name another --dir",
                dir.display()
            );
        };
        end(&state);
        fs::remove_dir_all(dir).with_context(|| format!("clear {}", dir.display()))?;
    }
    fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))
}
