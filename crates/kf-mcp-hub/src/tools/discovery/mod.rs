//! Which models there are.

mod get_model;
mod list_model_versions;
mod list_models;
mod page;
mod view;

pub use get_model::GetModel;
pub use list_model_versions::ListModelVersions;
pub use list_models::ListModels;
