//! The script on its way: one JSON document, compressed, in base64, in parts.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Start, Wanted};
use crate::submit::Problems;

/// What unpacks it in the pod.
pub(super) const BOOT: &str = include_str!("boot.py");
/// What calls `train` there.
const ENTRY: &str = include_str!("entry.py");
/// How the programs of ours that a command holds begin, by which they are known again.
const BOOT_MARK: &str = "# kubeflow-mcp: ";
/// The first argument. The parts follow.
const MARK: &str = "--kubeflow-mcp-script";

/// As many characters as a part has: below the limit of Linux (131,072) and that of Trainer before v2.2 (65,536).
const PART: usize = 60_000;
/// As many characters as all parts have: the job, its JobSet, Job and pods each hold them, and etcd takes 1.5 MiB a write.
const MOST: usize = 720_000;
/// A script that is larger is not even read.
const MOST_SOURCE: usize = 1 << 20;

/// What to do with a script that is too large.
const TOO_LARGE: &str = "put the code into an image and use run_container_training, or data into a volume";

/// Whether a script is worth reading.
pub(super) fn fits(script: &str, problems: &mut Problems) -> bool {
    if script.trim().is_empty() {
        problems.add("script", "is empty");
    } else if script.contains('\0') {
        problems.add("script", "contains a NUL character, which Python refuses in a source");
    } else if script.len() > MOST_SOURCE {
        problems.add(
            "script",
            format!(
                "has {} KiB, at most {} are possible",
                script.len() >> 10,
                MOST_SOURCE >> 10
            ),
        );
        problems.fix(TOO_LARGE);
    } else {
        return true;
    }
    false
}

/// The arguments that hold it.
pub(super) fn args(wanted: &Wanted, start: &Start, torch: bool, problems: &mut Problems) -> Vec<String> {
    let (entry, func_args) = match start {
        Start::Train { .. } => (ENTRY, wanted.func_args.map_or_else(|| json!({}), |given| json!(given))),
        Start::AsItIs { .. } => ("", Value::Null),
    };
    let run: &[&str] = if torch { &["-m", "torch.distributed.run"] } else { &[] };
    let task = json!({
        "script": wanted.script, "entry": entry, "func_args": func_args, "run": run,
        "packages": wanted.packages, "pip_index_urls": wanted.pip_index_urls,
    });
    let packed = packed(task.to_string().as_bytes());
    if packed.len() > MOST {
        let why = format!(
            "takes {} KiB when compressed, at most {} fit into a job",
            packed.len() >> 10,
            MOST >> 10
        );
        problems.add("script", why);
        problems.fix(TOO_LARGE);
    }
    let mut args = vec![MARK.to_owned()];
    let mut rest = packed.as_str();
    while !rest.is_empty() {
        // Base64 is ASCII, so that every place is one between characters.
        let (part, more) = rest.split_at(rest.len().min(PART));
        args.push(part.to_owned());
        rest = more;
    }
    args
}

/// Compressed without the time, so that the same script makes the same plan.
fn packed(task: &[u8]) -> String {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory does not fail; if it did, the pod would say that the script is incomplete.
    let zipped = encoder
        .write_all(task)
        .and_then(|()| encoder.finish())
        .unwrap_or_default();
    STANDARD.encode(zipped)
}

/// The script in one line: enough to know which one it is.
pub(super) fn summary(script: &str) -> String {
    let digest: String = Sha256::digest(script.as_bytes())
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!(
        "{} lines, {} bytes, sha256 {digest}…",
        script.lines().count(),
        script.len()
    )
}

/// Leaves out what nobody reads, in a command or arguments that are shown.
pub(crate) fn shorten(words: &mut Vec<Value>) {
    if words.first().and_then(Value::as_str) == Some(MARK) {
        let parts: usize = words.iter().skip(1).filter_map(Value::as_str).map(str::len).sum();
        words.truncate(1);
        words.push(json!(format!("(the script, {parts} characters of base64)")));
    }
    for word in words {
        if let Some(first) = word.as_str().filter(|text| text.starts_with(BOOT_MARK)) {
            let first = first.lines().next().unwrap_or_default();
            *word = json!(format!("{first} (the rest is not shown)"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_short_and_what_is_shown_is_shorter() {
        // Digits of a generator that compresses badly, 200 kB of them.
        let mut state = 1_u64;
        let mut script = String::from("x = '''");
        while script.len() < 200_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            script.push_str(&format!("{:016x}\n", state));
        }
        script.push_str("'''\n");
        let wanted = Wanted {
            script: &script,
            func_args: None,
            packages: &[],
            pip_index_urls: &[],
        };
        let mut problems = Problems::default();
        let args = args(&wanted, &Start::AsItIs { line: None }, true, &mut problems);
        assert!(problems.settle("t").is_ok());
        assert!(args.len() > 2 && args.iter().all(|part| part.len() <= PART));
        let mut words: Vec<Value> = [BOOT].map(Value::from).into();
        shorten(&mut words);
        assert!(words[0].as_str().unwrap().len() < 200);
        let mut words: Vec<Value> = args.into_iter().map(Value::from).collect();
        shorten(&mut words);
        assert_eq!(words.len(), 2);
    }

    #[test]
    fn what_no_job_can_hold_is_refused() {
        for (script, part) in [
            (" \n".to_owned(), "is empty"),
            ("a\0".into(), "NUL"),
            ("a".repeat((1 << 20) + 1), "has 1024 KiB"),
        ] {
            let mut problems = Problems::default();
            assert!(!fits(&script, &mut problems));
            let error = problems.settle("t").unwrap_err();
            assert!(error.answered.contains(part), "{}", error.answered);
        }
    }
}
