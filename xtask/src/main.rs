//! Tasks of the project: `cargo xtask TASK`.

mod bench;
mod control_plane;
mod docs;
mod features;
mod project;
mod tidy;

use std::process::ExitCode;

const HELP: &str = "cargo xtask TASK

tidy              every .rs file is reached by a `mod`, says what it is, stays small, and names rmcp only where it may
docs [--check]    write the components' schemas.json and docs/tools.md, or fail when docs/tools.md is out of date
features [--bless] build each set of components, and compare its catalogue with tests/catalogue/*.txt
control-plane …   a real API server with the real Trainer and JobSet as plain processes: build, up, down, status, env, user, …
test [--tier T]   run the tests; the tier `external` with kubectl and the Python clients, `control-plane` on a real control plane
bench             measure start-up, memory, catalogue size, requests per call and calls per second on the sandbox
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["tidy"] => tidy::run(),
        ["docs"] => docs::run(false),
        ["docs", "--check"] => docs::run(true),
        ["features"] => features::run(false),
        ["features", "--bless"] => features::run(true),
        ["bench"] => bench::run(),
        ["control-plane", rest @ ..] => return control_plane::exit(control_plane::pass(rest)),
        ["test"] => project::cargo(&["test", "--workspace"]),
        ["test", "--tier", "external"] => control_plane::external(),
        ["test", "--tier", "control-plane", rest @ ..] => return control_plane::exit(control_plane::test(rest)),
        _ => {
            project::say(HELP);
            return ExitCode::from(if matches!(arguments.as_slice(), ["help" | "--help" | "-h"]) {
                0
            } else {
                2
            });
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            project::say(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
