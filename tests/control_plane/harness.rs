//! The harness itself: a second control plane beside the one that the tests use, ended in all the ways there are.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use kf_mcp_control_plane::{Layout, Plane};

use crate::Tests;
use crate::stage::{Stage, built};

/// How long processes may take to go.
const PATIENCE: Duration = Duration::from_secs(5);

/// Adds the tests of the harness.
pub(crate) fn add(tests: &mut Tests) {
    tests.add(
        "harness::nothing_is_left_however_a_control_plane_ends",
        0,
        async |stage| {
            let stage = Arc::clone(&stage);
            tokio::task::spawn_blocking(move || nothing_is_left_however_a_control_plane_ends(&stage))
                .await
                .unwrap();
        },
    );
}

fn nothing_is_left_however_a_control_plane_ends(stage: &Stage) {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("second");
    let layout = Layout::new(&dir);

    // killed as hard as can be
    good(&run(&dir, &["up", "--detach"]));
    assert!(Plane::attach(&layout).is_ok());
    let again = run(&dir, &["up", "--detach"]);
    assert!(
        !again.status.success() && text(&again).contains("already"),
        "{}",
        text(&again)
    );
    assert!(Plane::attach(stage.plane.layout()).is_ok(), "two run side by side");
    let (_, supervisor, ..) = Plane::processes(&layout).swap_remove(0);
    supervisor.kill();
    all_gone(&layout);
    assert!(!run(&dir, &["status"]).status.success());

    // started again where a dead one lay, and tied to whoever wanted it, who is killed
    let mut up = command(&dir, &["up"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until(PATIENCE, || Plane::processes(&layout).iter().any(|(.., alive)| *alive));
    let again = run(&dir, &["up", "--detach"]);
    assert!(
        !again.status.success() && text(&again).contains("already"),
        "one that is not ready yet is not disturbed: {}",
        text(&again)
    );
    until(Duration::from_secs(60), || Plane::attach(&layout).is_ok());
    up.kill().unwrap();
    up.wait().unwrap();
    all_gone(&layout);

    // asked to end
    good(&run(&dir, &["up", "--detach"]));
    good(&run(&dir, &["down"]));
    all_gone(&layout);
    good(&run(&dir, &["down"]));

    // a directory with something else in it is left alone
    let other = place.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("thesis.tex"), "precious").unwrap();
    let refused = run(&other, &["up", "--detach"]);
    assert!(
        !refused.status.success() && text(&refused).contains("no control plane"),
        "{}",
        text(&refused)
    );
    assert!(other.join("thesis.tex").exists());
}

fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(built("control-plane"));
    // the tests' own control plane is not meant
    command
        .args(arguments)
        .arg("--dir")
        .arg(dir)
        .env_remove("KF_CONTROL_PLANE");
    command
}

fn run(dir: &Path, arguments: &[&str]) -> Output {
    command(dir, arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn good(output: &Output) {
    assert!(output.status.success(), "{}", text(output));
}

fn all_gone(layout: &Layout) {
    let all = Plane::processes(layout);
    assert_eq!(all.len(), 8, "{all:?}");
    until(PATIENCE, || all.iter().all(|(_, id, ..)| !id.alive()));
}

/// Looks until it is so.
fn until(patience: Duration, mut so: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !so() {
        assert!(begun.elapsed() < patience, "waited in vain");
        std::thread::sleep(Duration::from_millis(20));
    }
}
