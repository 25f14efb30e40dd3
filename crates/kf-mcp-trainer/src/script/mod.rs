//! A Python script of a caller's as a training job. Pure: the script is data here, read by a parser, never run or compiled.
//!
//! How it travels ([`bundle`]): script, arguments, packages and entry point are one JSON document, compressed and in base64,
//! cut into the arguments of the training container. Base64, because nothing on the way can read it as anything else: no
//! shell expands it, no heredoc ends in it, and Kubernetes finds no `$(VARIABLE)` in it. Arguments rather than variables,
//! because `mpirun` hands them on to every rank, because they do not pile up in the environment of each process that the
//! training starts, and because they take nothing from the 128 variables that a job may have. In parts, because Linux
//! takes at most 128 KiB in one argument, and Trainer before v2.2 at most 65,536 characters.
//!
//! How it starts ([`command`]): `sh` picks the image's Python, `boot.py` unpacks, installs the packages and becomes
//! `torch.distributed.run` or `python` with the script. Neither bash nor a writable working directory is needed.
//! What is called is decided here, from the script's tree ([`python`]): `train(...)` with the arguments if the script defines
//! it and leaves it to others to call, else the script as it is.

mod arguments;
mod bundle;
mod command;
mod packages;
mod policy;
mod python;
#[cfg(test)]
mod run_tests;

use kf_mcp_trainjob::Policy;
use serde_json::{Map, Value};

use crate::submit::{Problems, Program};

pub(crate) use bundle::shorten;
pub(crate) use policy::ScriptPolicy;
use python::Start;

/// What a call says about its script.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// The source.
    pub(crate) script: &'a str,
    /// The arguments of its `train`.
    pub(crate) func_args: Option<&'a Map<String, Value>>,
    /// What pip installs before.
    pub(crate) packages: &'a [String],
    /// Where pip looks, the first instead of PyPI, the others beside it.
    pub(crate) pip_index_urls: &'a [String],
}

/// A script that may be sent.
#[derive(Debug, Clone)]
pub(crate) struct Script<'a> {
    wanted: Wanted<'a>,
    start: Start,
    /// What the plan warns of.
    pub(crate) warnings: Vec<String>,
}

impl<'a> Script<'a> {
    /// Reads a script. What is wrong goes to the problems; what comes back then is of no use.
    pub(crate) fn read(wanted: Wanted<'a>, policy: &ScriptPolicy, problems: &mut Problems) -> Self {
        let mut warnings = Vec::new();
        packages::check(wanted.packages, wanted.pip_index_urls, problems, &mut warnings);
        let start = if bundle::fits(wanted.script, problems) {
            let facts = python::read(wanted.script);
            facts.judge(wanted.script, problems, &mut warnings);
            policy.judge(&facts, problems, &mut warnings);
            let start = arguments::check(&facts, wanted.func_args, problems);
            warnings.extend(facts.left_out(&start));
            start
        } else {
            Start::AsItIs { line: None }
        };
        Self {
            wanted,
            start,
            warnings,
        }
    }

    /// What runs in the training container of a runtime of that policy. The variables are those that `mpirun` has to hand on.
    pub(crate) fn program(&self, policy: Policy, variables: &[String], problems: &mut Problems) -> Program {
        let torch = policy == Policy::Torch;
        let args = bundle::args(&self.wanted, &self.start, torch, problems);
        let mut told = vec![
            ("script", bundle::summary(self.wanted.script)),
            ("start", self.start.to_string()),
        ];
        if let Some(given) = self.wanted.func_args {
            told.push(("func_args", Value::Object(given.clone()).to_string()));
        }
        if !self.wanted.packages.is_empty() {
            told.push(("packages", self.wanted.packages.join(", ")));
        }
        if !self.wanted.pip_index_urls.is_empty() {
            told.push(("pip_index_urls", self.wanted.pip_index_urls.join(", ")));
        }
        Program {
            command: command::of(policy, variables, problems),
            args,
            called: "train".into(),
            in_words: Some(command::in_words(policy)),
            told,
            ..Program::default()
        }
    }
}
