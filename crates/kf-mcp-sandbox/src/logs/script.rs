//! The words of the logs: deterministic, so that the same container always tells the same story.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::Line;
use crate::controllers::objects::{hash, items, later, setting};
use crate::store::{seconds, text};

/// Seconds between two progress lines.
const PACE: u64 = 10;

/// One run of a container.
pub(super) struct Run<'a> {
    /// The pod.
    pub(super) pod: &'a Value,
    /// The container's spec.
    pub(super) spec: &'a Value,
    /// When it began.
    pub(super) began: Timestamp,
    /// Up to when it has printed.
    pub(super) until: Timestamp,
    /// Its exit code, once it has ended.
    pub(super) exit: Option<i64>,
    /// Which run of the container this is.
    pub(super) restarts: i64,
    /// What it was told to print instead.
    pub(super) literal: Option<&'a str>,
}

/// All lines of a run.
pub(super) fn play(run: &Run<'_>) -> Vec<Line> {
    let mut out = Out { run, lines: Vec::new() };
    if let Some(literal) = run.literal {
        let line = |(index, line): (u64, &str)| {
            let time = later(run.began, Duration::from_secs(index)).min(run.until);
            let text = line.replace("{time}", &seconds(time));
            Line { time, text }
        };
        return (0..).zip(literal.lines()).map(line).collect();
    }
    match run.spec["name"].as_str() {
        Some("dataset-initializer") => download(&mut out, "dataset", 3),
        Some("model-initializer") => download(&mut out, "model", 5),
        _ => training(&mut out),
    }
    out.lines
}

struct Out<'a> {
    run: &'a Run<'a>,
    lines: Vec<Line>,
}

impl Out<'_> {
    fn say(&mut self, after: u64, text: impl Into<String>) {
        let time = later(self.run.began, Duration::from_secs(after));
        if time <= self.run.until {
            self.lines.push(Line {
                time,
                text: text.into(),
            });
        }
    }

    fn length(&self) -> u64 {
        u64::try_from(self.run.until.as_second() - self.run.began.as_second()).unwrap_or_default()
    }

    /// A variable of the container, or `None`.
    fn env(&self, name: &str) -> Option<&str> {
        items(&self.run.spec["env"])
            .find(|var| var["name"] == name)
            .and_then(|var| var["value"].as_str())
    }

    fn stamp(&self, after: u64) -> String {
        seconds(later(self.run.began, Duration::from_secs(after)))
            .replace('T', " ")
            .replace('Z', "")
    }
}

fn download(out: &mut Out<'_>, what: &str, files: u64) {
    let uri = out.env("STORAGE_URI").unwrap_or("hf://unknown/unknown").to_owned();
    out.say(0, format!("{} INFO:     Starting {what} initialization", out.stamp(0)));
    out.say(0, format!("{} INFO:     Downloading {what}: {uri}", out.stamp(0)));
    for file in 1..=files {
        out.say(
            file * 2,
            format!("Fetching {files} files: {:>3}%| {file}/{files}", file * 100 / files),
        );
    }
    out.say(
        files * 2,
        format!(
            "{} INFO:     {what} has been downloaded to /workspace/{what}",
            out.stamp(files * 2)
        ),
    );
}

fn training(out: &mut Out<'_>) {
    let pod = out.run.pod;
    let rank: u64 = pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"]
        .as_str()
        .and_then(|index| index.parse().ok())
        .unwrap_or_default();
    let jax = out.env("JAX_NUM_PROCESSES").map(str::to_owned);
    let nodes = jax
        .clone()
        .or_else(|| out.env("PET_NNODES").map(str::to_owned))
        .unwrap_or_else(|| "1".to_owned());
    opening(out, rank, &nodes, jax.is_some());
    let number = |key: &str, default: u64| setting(pod, key, "").and_then(|v| v.parse().ok()).unwrap_or(default);
    let total = number("sandbox/steps", 10_000);
    let per_line = number("sandbox/steps-per-line", 10);
    // A restarted worker goes on from its last checkpoint, not from the beginning.
    let first = number("sandbox/first-step", 0)
        + u64::try_from(out.run.restarts).unwrap_or_default() * number("sandbox/checkpoint-step", 500);
    if first > 0 && rank == 0 || out.run.restarts > 0 {
        out.say(
            6,
            format!("[rank{rank}] resuming from checkpoint /workspace/checkpoints/step-{first}"),
        );
    }
    let seed = text(pod, "/metadata/namespace") + &text(pod, "/metadata/labels/job-name");
    let mut step = first;
    let mut after = PACE;
    while after + 1 < out.length() && step < total {
        step = (step + per_line).min(total);
        out.say(after, progress(&seed, rank, step, total));
        after += PACE;
    }
    closing(out, rank, step, total);
}

fn opening(out: &mut Out<'_>, rank: u64, nodes: &str, jax: bool) {
    if jax {
        let address = out
            .env("JAX_COORDINATOR_ADDRESS")
            .unwrap_or("localhost:29500")
            .to_owned();
        out.say(
            0,
            format!("I jax.distributed: connecting to coordinator {address} as process {rank} of {nodes}"),
        );
        out.say(2, format!("I jax.distributed: all {nodes} processes connected"));
        out.say(
            3,
            format!(
                "process {rank}: {nodes} hosts, backend=tpu, devices: {}",
                device_line(out.run.spec)
            ),
        );
        out.say(5, format!("process {rank}: compiling train_step ..."));
        return;
    }
    let master = out.env("PET_MASTER_ADDR").unwrap_or("localhost").to_owned();
    let processes = out.env("PET_NPROC_PER_NODE").unwrap_or("1").to_owned();
    out.say(
        0,
        format!(
            "I {} torch/distributed/run.py] Using nproc_per_node={processes}.",
            out.stamp(0)
        ),
    );
    out.say(
        1,
        format!(
            "I {} torchrun: rendezvous at {master}:29500, node {rank} of {nodes}",
            out.stamp(1)
        ),
    );
    out.say(
        3,
        format!(
            "[rank{rank}] NCCL version 2.27.7+cuda13.0, {}",
            device_line(out.run.spec)
        ),
    );
    out.say(
        4,
        format!("[rank{rank}] init_process_group done, world ready on {nodes} node(s)"),
    );
}

fn device_line(spec: &Value) -> String {
    ["limits", "requests"]
        .iter()
        .find_map(|part| {
            let resources = spec["resources"][part].as_object()?;
            let (name, count) = resources.iter().find(|(name, _)| name.contains('/'))?;
            Some(format!("{} x {name}", count.as_str().unwrap_or("1")))
        })
        .unwrap_or_else(|| "cpu only".to_owned())
}

fn progress(seed: &str, rank: u64, step: u64, total: u64) -> String {
    let noise = |what: &str| {
        let unit = u32::try_from(hash(&format!("{seed}/{what}/{step}")) % 10_000).unwrap_or_default();
        f64::from(unit) / 10_000.0 - 0.5
    };
    let part = f64::from(u32::try_from(step).unwrap_or(u32::MAX)) / f64::from(u32::try_from(total).unwrap_or(u32::MAX));
    let loss = 0.4 + 2.4 * (-5.0 * part).exp() + 0.06 * noise("loss");
    let rate = 3e-4 * (1.0 + (std::f64::consts::PI * part).cos()) / 2.0;
    let tokens = 41_000.0 + 1_500.0 * noise("speed");
    format!("[rank{rank}] step {step}/{total} loss={loss:.4} lr={rate:.2e} tokens/s={tokens:.0}")
}

fn closing(out: &mut Out<'_>, rank: u64, step: u64, total: u64) {
    let length = out.length();
    let Some(code) = out.run.exit else { return };
    match code {
        0 => {
            if let Some(result) = setting(out.run.pod, "sandbox/result", "").filter(|_| rank == 0) {
                out.say(length, format!("[rank0] eval {result}"));
            }
            out.say(length, format!("[rank{rank}] training finished at step {step}/{total}"));
        }
        // No program ran that could print anything else.
        126 | 127 => {
            let words = out.run.pod.pointer("/spec/containers/0/command");
            let command = words
                .and_then(|words| words.get(0)?.as_str())
                .unwrap_or("train")
                .to_owned();
            let why = if code == 127 { "not found" } else { "Permission denied" };
            out.say(length, format!("sh: 1: {command}: {why}"));
        }
        // The kernel kills: the traceback of the allocation that was too much, and no word of torchrun after it.
        137 => {
            trace(out, length, rank, "    optimizer.step()");
            out.say(
                length,
                "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of \
                 39.39 GiB of which 1.07 GiB is free. Including non-PyTorch memory, this process has 38.31 GiB memory \
                 in use.",
            );
        }
        _ => {
            trace(out, length, rank, "    loss.backward()");
            out.say(
                length,
                "RuntimeError: NCCL communicator was aborted: connection closed by remote peer",
            );
            out.say(
                length,
                format!(
                    "torch.distributed.elastic.multiprocessing.errors.ChildFailedError: exitcode: {code} (rank: {rank})"
                ),
            );
        }
    }
}

fn trace(out: &mut Out<'_>, at: u64, rank: u64, line: &str) {
    out.say(at, format!("[rank{rank}]: Traceback (most recent call last):"));
    out.say(
        at,
        format!("[rank{rank}]:   File \"/workspace/train.py\", line 214, in train_loop"),
    );
    out.say(at, format!("[rank{rank}]: {line}"));
}
