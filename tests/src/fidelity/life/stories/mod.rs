//! The stories, by what they are about.

mod deletion;
mod failing;
mod frameworks;
mod room;
mod running;
mod shape;
mod torchtune;

use serde_json::{Value, json};

use super::world::GPUS;
use super::{Case, Story};

const fn case(name: &'static str, gpus: u8, story: Story) -> Case {
    Case { name, gpus, story }
}

/// Whoever makes or removes nodes must not do so while these run: how many nodes there are is part of what they compare.
const ALL: u8 = GPUS;

/// All stories. Each has a namespace of its own; those that need all twelve GPUs cannot run beside others that need any.
pub const CASES: &[Case] = &[
    case("two nodes run and finish", 2, |s| Box::pin(running::two_nodes(s))),
    case("suspended, resumed, suspended, finished", 0, |s| {
        Box::pin(running::to_and_fro(s))
    }),
    case("suspended while running", 0, |s| Box::pin(running::paused(s))),
    case("an image that takes long", 0, |s| Box::pin(running::slow_start(s))),
    case("deadline", 0, |s| Box::pin(running::deadline(s))),
    case("deadline of a suspended job", 0, |s| {
        Box::pin(running::deadline_suspended(s))
    }),
    case("jobset kept for a while", 0, |s| Box::pin(running::kept_for_a_while(s))),
    case("failed jobset kept for a while", 0, |s| {
        Box::pin(failing::runs_again(s))
    }),
    case("suspended after the end", 0, |s| {
        Box::pin(running::suspended_after_the_end(s))
    }),
    case("more GPUs than a node has", ALL, |s| Box::pin(room::too_big(s))),
    case("more nodes than GPUs", ALL, |s| Box::pin(room::crowded(s))),
    case("a node selector that nothing matches", ALL, |s| {
        Box::pin(room::nowhere(s))
    }),
    case("a claim that is not there", ALL, |s| {
        Box::pin(room::without_its_claim(s))
    }),
    case("quota of pods", 0, |s| Box::pin(room::quota_of_pods(s))),
    case("quota of GPUs", 1, |s| Box::pin(room::quota_of_gpus(s))),
    case("quota of jobs", 0, |s| Box::pin(room::quota_of_jobs(s))),
    case("thirty nodes", 0, |s| Box::pin(room::thirty(s))),
    case("quota without requests", 0, |s| {
        Box::pin(room::quota_without_requests(s))
    }),
    case("crash loop", 0, |s| Box::pin(failing::crash_loop(s))),
    case("crash loop until it failed", 0, |s| Box::pin(failing::crashed(s))),
    case("failed at once, pods kept", 0, |s| Box::pin(failing::never(s))),
    case("between retries", 0, |s| Box::pin(failing::between_retries(s))),
    case("one of two nodes fails", 0, |s| Box::pin(failing::one_of_two(s))),
    case("restarts of the whole set", 0, |s| Box::pin(failing::restarts(s))),
    case("a pod is deleted", 0, |s| Box::pin(failing::pod_deleted(s))),
    case("deadline of the Job", 0, |s| Box::pin(failing::job_deadline(s))),
    case("rules of failure", 0, |s| Box::pin(failing::rules(s))),
    case("suspended after a failure", 0, |s| {
        Box::pin(failing::suspended_after_failure(s))
    }),
    case("name too long", 0, |s| Box::pin(shape::name_too_long(s))),
    case("longest name", 0, |s| Box::pin(shape::longest_name(s))),
    case("torchtune", 2, |s| Box::pin(torchtune::initialised(s))),
    case("torchtune suspended", 2, |s| Box::pin(torchtune::suspended(s))),
    case("torchtune paused", 2, |s| Box::pin(torchtune::paused(s))),
    case("torchtune initializer fails", 0, |s| Box::pin(torchtune::no_data(s))),
    case("deepspeed", 0, |s| Box::pin(frameworks::deepspeed(s))),
    case("deepspeed on one node", 0, |s| Box::pin(frameworks::deepspeed_alone(s))),
    case("launcher fails", 0, |s| Box::pin(frameworks::launcher_fails(s))),
    case("several replicated jobs", 0, |s| Box::pin(frameworks::several(s))),
    case("any success is enough", 0, |s| Box::pin(frameworks::any_success(s))),
    case("mlx", 0, |s| Box::pin(frameworks::mlx(s))),
    case("jax", 0, |s| Box::pin(frameworks::jax(s))),
    case("xgboost", 2, |s| Box::pin(frameworks::xgboost(s))),
    case("plain", 0, |s| Box::pin(frameworks::plain(s))),
    case("no trainer", 0, |s| Box::pin(frameworks::no_trainer(s))),
    case("deleted in the background", 0, |s| Box::pin(deletion::background(s))),
    case("deleted in the foreground", 0, |s| Box::pin(deletion::foreground(s))),
    case("deleted, dependents kept", 0, |s| Box::pin(deletion::orphan(s))),
    case("runtime deleted", 0, |s| Box::pin(deletion::runtime(s))),
    case("env and resources", 2, |s| Box::pin(shape::env_and_resources(s))),
    case("processes per node", 6, |s| Box::pin(shape::processes(s))),
    case("runtime patches", 0, |s| Box::pin(shape::patches(s))),
    case("patches of what is there", 0, |s| Box::pin(shape::patches_merge(s))),
    case("patched while suspended", 0, |s| Box::pin(shape::patched_later(s))),
    case("managed by another", 0, |s| Box::pin(shape::managed_by_another(s))),
    case("runtime of one's own", 0, |s| Box::pin(shape::own_runtime(s))),
];

/// Env variables.
fn env(all: &[(&str, &str)]) -> Value {
    all.iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect()
}

/// A container that runs until it is told to end.
fn forever() -> Value {
    env(&[("SIM_RUN", "1h")])
}

/// A trainer of so many nodes that run until they are told to end.
fn nodes(number: u8) -> Value {
    json!({"numNodes": number, "env": forever()})
}

/// A Job whose pods are neither started again nor replaced.
fn once() -> Value {
    json!({"backoffLimit": 0, "template": pods("Never")})
}

/// A spec with a runtime and a trainer.
fn spec(runtime: &str, trainer: Value) -> Value {
    json!({"runtimeRef": {"name": runtime}, "trainer": trainer})
}

/// A spec with the runtime of the namespace.
fn own(trainer: Value) -> Value {
    json!({"runtimeRef": {"name": "own", "kind": "TrainingRuntime"}, "trainer": trainer})
}

/// So many GPUs per node.
fn gpus(number: u32) -> Value {
    json!({"limits": {"nvidia.com/gpu": number}})
}

/// A pod template of one container `node`.
fn pods(restart: &str) -> Value {
    let mut spec = json!({"containers": [{"name": "node", "image": "example.com/train:1"}]});
    if !restart.is_empty() {
        spec["restartPolicy"] = json!(restart);
    }
    json!({"spec": spec})
}
