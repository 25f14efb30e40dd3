//! The rights that a set of tools needs, from what the tools declare: as Kubernetes' own RBAC objects, least privilege, and as
//! questions to the API server.

mod manifest;
mod review;
mod rights;

pub use self::manifest::{Grant, manifests};
pub use self::review::missing;
pub use self::rights::{Callers, Reach, Right, Where, is_of_the_cluster, of_callers, of_tools};
