//! The control plane that the tests share, and what each of them takes of it: a namespace, users, GPUs.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use kf_mcp_control_plane::{Api, Audit, Layout, Plane};
use kf_mcp_tests::World;
use kf_mcp_tests::fidelity::life::world::GPUS;
use kf_mcp_tests::place::{Place, TEST};
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, SemaphorePermit};

/// The control plane of this run.
pub(crate) struct Stage {
    pub(crate) plane: Plane,
    pub(crate) api: Api,
    pub(crate) runtime: Runtime,
    gpus: Semaphore,
    used: AtomicU32,
}

/// One of the workspace's programs, beside which this test was built.
pub(crate) fn built(program: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let path = own.ancestors().nth(2).unwrap().join(program);
    assert!(path.exists(), "{} is not built: cargo build", path.display());
    path
}

/// Removes what an earlier run on the same control plane left behind, such as pods that hold GPUs.
async fn clear(api: &Api) {
    let path = format!("/api/v1/namespaces?labelSelector={TEST}");
    let real = Place::Real(api.client());
    let left = api.get(&path).await.unwrap();
    for namespace in left["items"].as_array().unwrap() {
        let name = namespace["metadata"]["name"].as_str().unwrap();
        // one that is being deleted already refuses
        api.delete(&format!(
            "/apis/trainer.kubeflow.org/v1alpha1/namespaces/{name}/trainjobs"
        ))
        .await
        .ok();
        api.delete(&format!("/api/v1/namespaces/{name}")).await.ok();
    }
    real.until("the end of what an earlier run left", async || {
        let left = api.get(&path).await.ok()?;
        left["items"].as_array()?.is_empty().then_some(())
    })
    .await;
}

impl Stage {
    /// The control plane that `KF_CONTROL_PLANE` names; `None` when it names none.
    pub(crate) fn find() -> Result<Option<Self>> {
        let Some(dir) = std::env::var_os("KF_CONTROL_PLANE").map(PathBuf::from) else {
            return Ok(None);
        };
        let plane = Plane::attach(&Layout::new(dir))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .context("start the runtime")?;
        let api = runtime.block_on(plane.api())?;
        runtime.block_on(clear(&api));
        Ok(Some(Self {
            plane,
            api,
            runtime,
            gpus: Semaphore::new(usize::from(GPUS)),
            used: AtomicU32::new(0),
        }))
    }

    /// Holds GPUs, so that tests that need them do not take them from each other.
    pub(crate) async fn gpus(&self, number: u32) -> SemaphorePermit<'_> {
        self.gpus.acquire_many(number.min(u32::from(GPUS))).await.unwrap()
    }

    /// The real cluster.
    pub(crate) fn place(&self) -> Place {
        Place::Real(self.api.client())
    }

    /// The audit log.
    pub(crate) fn audit(&self) -> Audit {
        self.plane.audit()
    }

    /// A name that nothing on this control plane has, also when the tests run on it again: `word-PROCESS-COUNT`.
    pub(crate) fn unique(&self, word: &str) -> String {
        let count = self.used.fetch_add(1, Ordering::Relaxed);
        format!("{word}-{}-{count}", std::process::id())
    }

    /// A user without any rights of its own. The kubeconfig begins in `namespace`.
    pub(crate) fn user(&self, name: &str, namespace: &str) -> PathBuf {
        self.plane.user(name, &[], namespace).unwrap()
    }

    /// A world for one test: a namespace of its own, and a server whose user may do everything.
    pub(crate) async fn world(&self, word: &str) -> World {
        let namespace = self.unique(word);
        World::real(self.api.client(), &self.plane.layout().kubeconfig(), &namespace).await
    }
}
