//! Deleting the very object that a plan is about: another one of its name is let alone.

use kf_mcp_core::kube::{DeleteOptions, KubeError, Resource};
use kf_mcp_core::{Cx, ErrorCode, ToolError};

/// The object.
pub(crate) struct Removal<'a> {
    pub(crate) of: &'a Resource,
    pub(crate) namespace: Option<&'a str>,
    pub(crate) name: &'a str,
    pub(crate) uid: &'a str,
}

impl Removal<'_> {
    /// Deletes it, or only tries to. False when it was gone already.
    pub(crate) async fn run(&self, cx: &Cx, dry_run: bool) -> Result<bool, KubeError> {
        let options = DeleteOptions {
            uid: Some(self.uid.to_owned()),
            dry_run,
        };
        match cx.kube().delete(self.of, self.namespace, self.name, &options).await {
            Ok(()) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The refusal to delete another object (`what`) that has the name by now; `tool` shows the plan anew.
pub(crate) fn replaced(what: &str, asked: String, tool: &'static str) -> ToolError {
    let why = format!("another {what} of that name has taken the place of the one in the plan");
    ToolError::new(ErrorCode::StalePlan, asked, why)
        .fix("call again without confirmed to see what would be deleted now")
        .tool(tool)
}
