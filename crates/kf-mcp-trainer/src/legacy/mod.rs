//! Jobs of the training operator v1 (PyTorchJob, TFJob, MPIJob, …), which the tools read, pause and delete beside TrainJobs
//! where a cluster still has them. Nothing submits them.
//!
//! Why it is as it is:
//! - **One argument, `kind`.** A TrainJob and a PyTorchJob may have the same name, so a name alone does not say which is
//!   meant. Without `kind` a TrainJob is meant, and a cluster without v1 pays nothing: each call costs what it would
//!   without this module.
//! - **Only a miss looks further.** When there is no such TrainJob, one request asks which versions of `kubeflow.org` are
//!   served. Usually v1 is not among them and the miss stays a miss. Where it is, reads serve the v1 job of that name, and
//!   changes name it and want its `kind`: nobody deletes a PyTorchJob by accident of a name.
//! - **Lists are of one kind**, one request a page. A first page without any TrainJob says which v1 kinds the cluster
//!   serves, as `check_compatibility` does; `kind=*` walks through TrainJobs and all v1 kinds that are served.
//! - **A v1 job is its own truth.** It has no parts between itself and its pods: its conditions say the status (the last one
//!   written wins), its `replicaStatuses` count, and its pods carry its name, replica type and index as labels.

mod find;
mod job;
mod kind;
mod policy;
mod reason;
mod steps;

pub(crate) use find::{get, instead, say_which, served, served_hint};
pub(crate) use job::{LegacyJob, Replica};
pub(crate) use kind::{JobKind, KindOrAll, LegacyKind, MPI_V2, with_legacy};
pub(crate) use policy::RunPolicy;
pub(crate) use reason::{of_conditions, reason};
pub(crate) use steps::{JOB as JOB_LABEL, alias, container, is_of_job, of_kind, selector, steps};
