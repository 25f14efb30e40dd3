//! The control plane that the tests share, and what each of them takes of it: a namespace, users, GPUs.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use kf_mcp_control_plane::{Api, Audit, Layout, Plane};
use kf_mcp_tests::World;
use kf_mcp_tests::fidelity::life::world::GPUS;
use kf_mcp_tests::place::{Place, TEST};
use tokio::runtime::Runtime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The control plane of this run, as all tests share it.
pub(crate) struct Shared {
    pub(crate) plane: Plane,
    pub(crate) api: Api,
    pub(crate) runtime: Runtime,
    gpus: Arc<Semaphore>,
    used: AtomicU32,
}

/// The control plane of one test, which knows what the test made there.
pub(crate) struct Stage {
    shared: Arc<Shared>,
    made: Mutex<Vec<String>>,
}

impl Deref for Stage {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
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
        remove(api, namespace["metadata"]["name"].as_str().unwrap()).await;
    }
    real.until("the end of what an earlier run left", async || {
        let left = api.get(&path).await.ok()?;
        left["items"].as_array()?.is_empty().then_some(())
    })
    .await;
}

/// Begins to remove a namespace with its jobs; one that is being deleted already refuses.
async fn remove(api: &Api, namespace: &str) {
    let jobs = format!("/apis/trainer.kubeflow.org/v1alpha1/namespaces/{namespace}/trainjobs");
    api.delete(&jobs).await.ok();
    api.delete(&format!("/api/v1/namespaces/{namespace}")).await.ok();
}

impl Shared {
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
            gpus: Arc::new(Semaphore::new(usize::from(GPUS))),
            used: AtomicU32::new(0),
        }))
    }

    /// Holds GPUs, so that tests that need them do not take them from each other.
    pub(crate) async fn gpus(&self, number: u32) -> OwnedSemaphorePermit {
        let gpus = Arc::clone(&self.gpus);
        gpus.acquire_many_owned(number.min(u32::from(GPUS))).await.unwrap()
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
}

impl Stage {
    /// The stage of a test that has made nothing yet.
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        let made = Mutex::new(Vec::new());
        Self { shared, made }
    }

    /// A namespace that the test makes, to be removed when it is over.
    pub(crate) fn makes(&self, namespace: String) -> String {
        self.made.lock().unwrap().push(namespace.clone());
        namespace
    }

    /// Begins to remove what the test made, and gives its GPUs back when no pod holds them any more.
    pub(crate) async fn leave(&self, gpus: OwnedSemaphorePermit) {
        let made = std::mem::take(&mut *self.made.lock().unwrap());
        for namespace in &made {
            remove(&self.api, namespace).await;
        }
        let shared = Arc::clone(&self.shared);
        self.runtime.spawn_blocking(move || {
            shared.runtime.block_on(async {
                for namespace in made {
                    let pods = format!("/api/v1/namespaces/{namespace}/pods");
                    let gone = async || {
                        shared.api.get(&pods).await.ok()?["items"]
                            .as_array()?
                            .is_empty()
                            .then_some(())
                    };
                    shared.place().until("the end of a test's pods", gone).await;
                }
            });
            drop(gpus);
        });
    }

    /// A world for one test: a namespace of its own, and a server whose user may do everything.
    pub(crate) async fn world(&self, word: &str) -> World {
        let namespace = self.makes(self.unique(word));
        World::real(self.api.client(), &self.plane.layout().kubeconfig(), &namespace).await
    }
}
