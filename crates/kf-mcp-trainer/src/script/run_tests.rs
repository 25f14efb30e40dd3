//! What a pod would execute, executed here: the script arrives byte for byte and is started as it should be. Where there is no
//! `python3`, the parts are only put together again.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Output};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use kf_mcp_trainjob::Policy;
use serde_json::{Value, json};

use super::*;

/// What would break a heredoc, a shell, a formatter or an indenter.
const NASTY: &str = "#!/usr/bin/env python\r\n# -*- coding: utf-8 -*-\r\nprice = '$HOME ${HOME} $(id) `id` $$ \\\\ \\$ $((1+1))'\r\n\
    text = \"\"\"\nEOM\nEOF\n  'quoted' \"double\"\n\"\"\"\nemoji = '🦀 é \u{202e}'\nif True:\n\tprint('tab')\n\n\n# no newline at the end %s %d {0}";

fn wanted<'a>(script: &'a str, func_args: Option<&'a Map<String, Value>>) -> Wanted<'a> {
    Wanted {
        script,
        func_args,
        packages: &[],
        pip_index_urls: &[],
    }
}

fn program(script: &str, func_args: &Value) -> Program {
    let mut problems = Problems::default();
    let read = Script::read(
        wanted(script, func_args.as_object()),
        &ScriptPolicy::default(),
        &mut problems,
    );
    let program = read.program(Policy::Plain, &[], &mut problems);
    problems.settle("t").unwrap();
    program
}

/// The document in the arguments.
fn unpacked(program: &Program) -> Value {
    let packed: String = program.args[1..].concat();
    let mut text = String::new();
    GzDecoder::new(STANDARD.decode(packed).unwrap().as_slice())
        .read_to_string(&mut text)
        .unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Runs it as a pod would, in a working directory that is read-only.
fn run(program: &Program, place: &Path) -> Option<Output> {
    Command::new("python3").arg("--version").output().ok()?;
    let mut words = program.command.iter().chain(&program.args);
    let mut command = Command::new(words.next()?);
    command.args(words).current_dir("/proc").env("TMPDIR", place);
    Some(command.output().unwrap())
}

fn temporary(name: &str) -> std::path::PathBuf {
    let place = std::env::temp_dir().join(format!("kf-mcp-run-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&place).unwrap();
    place
}

fn big() -> String {
    let mut script = String::from("data = [\n");
    for n in 0_u64..2600 {
        let noise = n
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(31)
            .wrapping_mul(0xbf58_476d_1ce4_e5b9);
        script.push_str(&format!("    '{noise:016x}{:016x} {NOISE}',\n", noise ^ (noise >> 29)));
    }
    script.push_str("]\nprint(len(data))\n");
    script
}

/// Makes lines longer.
const NOISE: &str = "`$HOME` EOM \\\" 0123456789 0123456789 012345";

#[test]
fn the_source_arrives_byte_for_byte() {
    let big = big();
    assert!(big.len() > 200_000, "{}", big.len());
    for (name, script) in [("nasty", NASTY), ("big", big.as_str()), ("bom", "\u{feff}x = 1\n")] {
        let program = program(script, &Value::Null);
        assert_eq!(unpacked(&program)["script"], json!(script), "{name}");
        let place = temporary(name);
        let Some(output) = run(&program, &place) else {
            continue;
        };
        assert!(
            output.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let written = std::fs::read_dir(&place).unwrap().flatten().next().unwrap().path();
        let written = std::fs::read(written.join("training_script.py")).unwrap();
        assert!(written == script.as_bytes(), "{name}");
        std::fs::remove_dir_all(&place).unwrap();
    }
}

#[test]
fn scripts_start_as_they_should() {
    let odd = json!({"name": "Zoë 🦀 'q' \"d\" $HOME `id`", "nan": "NaN", "deep": {"a": [1, 2.5, null, true, {"b": -1e-7}]},
        "big": 9_007_199_254_740_993_u64, "empty": {}, "lines": "a\r\nEOM\nb"});
    let echo = "import json, os\nif __name__ == '__main__': print('guard')\ndef train(**more):\n    \
                print(json.dumps(more, sort_keys=True))\n";
    for (name, script, arguments, out) in [
        ("args", echo, odd.clone(), odd.to_string()),
        ("none", "def train(a=1):\n    print(a)\n", Value::Null, "1".into()),
        (
            "async",
            "import asyncio\nasync def train(a):\n    await asyncio.sleep(0)\n    print(a)\n",
            json!({"a": 2}),
            "2".into(),
        ),
        (
            "decorated",
            "def twice(f):\n    return lambda *a, **k: f(*a, **k) * 2\n@twice\ndef train(a):\n    print(a)\n    return 1\n",
            json!({"a": 3}),
            "3".into(),
        ),
        (
            "future",
            "from __future__ import annotations\nprint(__name__)\n",
            Value::Null,
            "__main__".into(),
        ),
        (
            "itself",
            "def train(): print('once')\nif __name__ == '__main__':\n    train()\n",
            Value::Null,
            "once".into(),
        ),
    ] {
        let place = temporary(name);
        let Some(output) = run(&program(script, &arguments), &place) else {
            continue;
        };
        std::fs::remove_dir_all(&place).unwrap();
        let (said, wrong) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        if name == "args" {
            assert_eq!(serde_json::from_str::<Value>(&said).unwrap(), odd, "{wrong}");
        } else {
            assert_eq!(said.trim(), out, "{name}: {wrong}");
        }
    }
}

#[test]
fn what_fails_fails_loudly() {
    let place = temporary("fails");
    let failing = program("import sys\nsys.exit(7)\n", &Value::Null);
    let packages = ["/nowhere/not-there-1.0-py3-none-any.whl".to_owned()];
    let mut problems = Problems::default();
    let wants = Wanted {
        packages: &packages,
        ..wanted("print('never')", None)
    };
    let packaged =
        Script::read(wants, &ScriptPolicy::default(), &mut problems).program(Policy::Plain, &[], &mut problems);
    problems.settle("t").unwrap();
    if let (Some(failed), Some(unpackaged)) = (run(&failing, &place), run(&packaged, &place)) {
        assert_eq!(failed.status.code(), Some(7));
        assert_eq!(unpackaged.status.code(), Some(1));
        let wrong = String::from_utf8_lossy(&unpackaged.stderr).into_owned();
        assert!(
            wrong.contains("pip could not install") || wrong.contains("no pip"),
            "{wrong}"
        );
        assert!(unpackaged.stdout.is_empty());
    }
    std::fs::remove_dir_all(&place).unwrap();
}

#[test]
fn each_runtime_starts_it_in_its_way() {
    for (policy, run, first) in [
        (Policy::Torch, json!(["-m", "torch.distributed.run"]), "sh"),
        (Policy::Mpi, json!([]), "mpirun"),
        (Policy::Jax, json!([]), "sh"),
        (Policy::Xgboost, json!([]), "sh"),
        (Policy::Plain, json!([]), "sh"),
    ] {
        let mut problems = Problems::default();
        let read = Script::read(wanted("x = 1", None), &ScriptPolicy::default(), &mut problems);
        let program = read.program(policy, &["A".into()], &mut problems);
        assert_eq!((&unpacked(&program)["run"], program.command[0].as_str()), (&run, first));
    }
}
