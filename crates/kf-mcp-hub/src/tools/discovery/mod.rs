//! Which models there are.

mod get_model;
mod list_model_versions;
mod list_models;
mod view;
