//! [`ClientModule`]: one Kubeflow component, as a crate of tools.

use serde_json::Value;

use crate::guide::Guide;
use crate::instructions::Tier;
use crate::tool::Entry;

/// One Kubeflow component: its name for `--clients`, what an agent should know about it, its tools and its guides.
pub trait ClientModule: Sync {
    /// The name in `--clients`, for example `trainer`.
    fn name(&self) -> &'static str;

    /// One line about it, for people who choose.
    fn about(&self) -> &'static str;

    /// `module_path!()` of the crate's root: the tools registered below it are this module's.
    fn home(&self) -> &'static str;

    /// What [`crate::schema::in_writing`] says of this module, kept in a file: a server that lists the tools then reads it
    /// instead of walking through all their types at each start. What the text does not have is made from the types, so it
    /// can be left away; that it is not out of date is for a test to show.
    fn schemas(&self) -> Option<&'static str> {
        None
    }

    /// What an agent should know before it uses the tools, as long as the tier allows; becomes part of the server's
    /// instructions. Each line stands alone: one that names a tool which the persona does not see is left out.
    fn instructions(&self, _tier: Tier) -> &'static str {
        ""
    }

    /// Texts to read beside the tools, which clients list as resources, in the order they are shown.
    fn guides(&self) -> &'static [Guide] {
        &[]
    }

    /// The configuration keys that the module reads, as `section.key`.
    fn settings(&self) -> &'static [Setting] {
        &[]
    }

    /// The tool that tells whether the component is there and works: `kubeflow-mcp doctor` calls it.
    fn check(&self) -> Option<Check> {
        None
    }

    /// The module's tools: by default those that registered themselves below [`ClientModule::home`].
    fn tools(&self) -> Vec<&'static Entry> {
        let home = self.home();
        inventory::iter::<Entry>
            .into_iter()
            .filter(|entry| {
                entry
                    .home
                    .strip_prefix(home)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
            })
            .collect()
    }
}

/// How one finds out whether a component is there.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// A tool of the module that needs no argument. Its error says what is wrong.
    pub tool: &'static str,
    /// Whether an answer says that all is well.
    pub holds: fn(&Value) -> bool,
}

/// One configuration key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The key in the file, for example `hub.url`; the environment variable is `KUBEFLOW_MCP_HUB_URL`.
    pub key: &'static str,
    /// What it does.
    pub about: &'static str,
}

impl Setting {
    /// A key and what it does.
    pub const fn new(key: &'static str, about: &'static str) -> Self {
        Self { key, about }
    }

    /// The environment variable that sets this key.
    pub fn variable(&self) -> String {
        format!("KUBEFLOW_MCP_{}", self.key.replace('.', "_").to_uppercase())
    }
}
