//! What agents read about these tools: instructions of three lengths, and the guides.

use kf_mcp_core::{Guide, Tier};

/// What agents know before their first call. A line stands alone: it is left out for who may not use a tool in it.
pub(crate) fn instructions(tier: Tier) -> &'static str {
    match tier {
        Tier::Minimal => include_str!("../instructions/minimal.txt"),
        Tier::Compact => include_str!("../instructions/compact.txt"),
        Tier::Full => include_str!("../instructions/full.txt"),
    }
}

/// The guides, in the order they are shown.
pub(crate) const GUIDES: &[Guide] = &[
    Guide {
        uri: "kubeflow://trainer/guides/workflow",
        name: "workflow",
        title: "From an idea to a trained model",
        description: "The way of a training job through the tools: plan, choose, preview, follow, change, clean up. Read it first.",
        text: include_str!("../guides/workflow.md"),
    },
    Guide {
        uri: "kubeflow://trainer/guides/troubleshooting",
        name: "troubleshooting",
        title: "When a job does not do what it should",
        description: "Reasons, exit codes, log messages and error codes, what each means and what to do.",
        text: include_str!("../guides/troubleshooting.md"),
    },
    Guide {
        uri: "kubeflow://trainer/guides/sizing",
        name: "sizing",
        title: "How many GPUs, and how large",
        description: "What fills a GPU's memory, how to ask for an estimate, and what to do when it does not fit.",
        text: include_str!("../guides/sizing.md"),
    },
    Guide {
        uri: "kubeflow://trainer/guides/runtimes",
        name: "runtimes",
        title: "Training runtimes",
        description: "The runtimes that Trainer ships, which one a tool takes, what programs find in them, and how to change them.",
        text: include_str!("../guides/runtimes.md"),
    },
    Guide {
        uri: "kubeflow://trainer/guides/coming-from",
        name: "coming-from",
        title: "Coming from KEP-936, the prototypes, the SDK or kubectl",
        description: "Which tool here does what a tool, method or command of another name did there.",
        text: include_str!("../guides/coming-from.md"),
    },
];
