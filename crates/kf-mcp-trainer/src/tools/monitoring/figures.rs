//! What pods use of CPU, memory and GPUs, and what is said when that cannot be seen.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use kf_mcp_core::Cx;
use kf_mcp_core::kube::{KubeError, Page};
use tokio::time::timeout;

use crate::gpu_use::{self, Gpu};
use crate::pods::outside;
use crate::refusal::said;
use crate::settings::prometheus;
use crate::usage::{self, Used, Without};

/// How long Prometheus may take: the rest of the answer does not wait for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is said beside the facts.
#[derive(Debug, Default)]
pub(super) struct Telling {
    pub(super) notes: Vec<String>,
    pub(super) not_seen: Vec<String>,
}

impl Telling {
    /// Something could not be looked at: nothing of it is told.
    pub(super) fn unseen<T: Default>(&mut self, what: &str, error: KubeError) -> T {
        self.not_seen.push(format!("{what}: {}", said(error)));
        T::default()
    }

    /// What the pods use, by their names.
    pub(super) fn used(&mut self, metrics: Result<Page, KubeError>, running: bool) -> BTreeMap<String, Used> {
        match metrics.map_err(usage::without) {
            Ok(page) => {
                let used = usage::of(&page);
                if used.is_empty() && running {
                    self.notes
                        .push("CPU and memory use: metrics-server has no figures of these pods yet".into());
                }
                used
            }
            Err(Without::Server(why)) => {
                self.notes.push(why);
                BTreeMap::new()
            }
            Err(Without::Sight(what)) => {
                self.not_seen.push(what);
                BTreeMap::new()
            }
        }
    }

    /// The pods' GPUs, by their names.
    pub(super) fn gpus(&mut self, gpus: Gpus, running: bool) -> BTreeMap<String, Vec<Gpu>> {
        match gpus {
            Gpus::Found(found) => {
                if found.is_empty() && running {
                    self.notes
                        .push("GPU use: Prometheus has no figures of NVIDIA's DCGM exporter for these pods".into());
                }
                found
            }
            Gpus::NoPrometheus => {
                if running {
                    self.notes.push(
                        "GPU use: start this server with --prometheus-url, a Prometheus that scrapes NVIDIA's DCGM exporter"
                            .into(),
                    );
                }
                BTreeMap::new()
            }
            Gpus::NotSeen(why) => {
                self.not_seen.push(format!("GPU use: {why}"));
                BTreeMap::new()
            }
        }
    }
}

/// What is known of the GPUs.
#[derive(Debug)]
pub(super) enum Gpus {
    Found(BTreeMap<String, Vec<Gpu>>),
    NoPrometheus,
    NotSeen(String),
}

/// Asks Prometheus once. Whatever goes wrong there is told, and fails nothing.
pub(super) async fn gpus(cx: &Cx, namespace: &str, job: &str) -> Gpus {
    let address = match prometheus(cx) {
        Ok(Some(address)) => address,
        Ok(None) => return Gpus::NoPrometheus,
        Err(why) => return Gpus::NotSeen(why),
    };
    let path = gpu_use::path(namespace, job);
    let of = |why: String| Gpus::NotSeen(format!("Prometheus at {}: {why}", address.words()));
    match timeout(PATIENCE, cx.send(&address, Method::GET, &path, Vec::new())).await {
        Err(_) => of(format!("no answer within {} s", PATIENCE.as_secs())),
        Ok(Err(error)) => Gpus::NotSeen(format!("Prometheus at {}", outside(&error.answered))),
        Ok(Ok(reply)) => match gpu_use::of(&reply.body) {
            Ok(found) => Gpus::Found(found),
            Err(why) => of(format!("status {}, {why}", reply.status.as_u16())),
        },
    }
}
