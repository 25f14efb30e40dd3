//! Whole journeys, from a plan to a finished, failed or deleted job. Each runs word for word on the sandbox and on a real
//! control plane: what it needs to know of the cluster it asks [`World`](crate::World).

mod custom;
mod diagnosis;
mod failures;
mod fine_tune;
mod legacy;
mod limits;
mod lives;
mod options;
mod outputs;
mod pausing;
mod platform;
mod preflight;
mod progress;
mod stories;

pub use custom::*;
pub use diagnosis::*;
pub use failures::*;
pub use fine_tune::*;
pub use legacy::*;
pub use limits::*;
pub use lives::*;
pub use options::*;
pub use outputs::*;
pub use pausing::*;
pub use platform::*;
pub use preflight::*;
pub use progress::*;
pub use stories::*;

use serde_json::{Value, json};

/// Hands the names of all journeys to a macro, with the GPUs that each one's pods hold at a time.
#[macro_export]
macro_rules! journeys {
    ($given:path) => {
        $given! {
            a_job_is_previewed_submitted_watched_read_and_deleted: 2,
            a_training_that_reports_its_progress_is_seen_to: 0,
            a_generated_name_is_the_one_that_was_previewed: 0,
            a_plan_that_is_no_longer_true_is_refused: 0,
            a_job_is_suspended_and_resumed: 1,
            a_log_is_followed_while_it_is_written: 0,
            a_deleted_job_takes_everything_with_it: 0,
            a_job_whose_program_fails_says_with_which_code: 0,
            a_job_that_runs_out_of_memory_says_so: 0,
            a_crash_loop_shows_the_log_of_the_run_before: 0,
            what_no_node_can_hold_has_a_reason_and_an_empty_log_says_why: 0,
            a_runtime_that_is_missing_is_named_with_those_there_are: 0,
            what_the_webhook_refuses_is_told_in_its_words: 0,
            names_are_refused_before_they_are_too_long_for_the_pods: 0,
            a_quota_that_refuses_pods_is_the_reason: 0,
            a_suspended_job_whose_runtime_is_gone_cannot_be_resumed: 0,
            a_runtime_of_a_namespace_comes_changes_and_goes: 0,
            a_runtime_of_the_cluster_comes_changes_and_goes: 0,
            a_runtime_that_cannot_work_is_refused: 0,
            a_runtime_whose_jobs_cannot_be_paused_is_repaired: 0,
            a_kind_tells_its_versions_and_a_part_of_its_schema: 0,
            a_controller_is_found_by_its_labels: 0,
            a_job_is_suspended_resumed_and_waited_for: 1,
            a_wait_for_what_no_node_can_hold_ends_early_with_the_reason: 0,
            a_wait_for_what_a_quota_refuses_ends_early_with_the_reason: 0,
            a_torchtune_job_that_cannot_be_paused_is_not_said_to_be: 2,
            a_job_whose_runtime_is_gone_is_told_what_still_works: 0,
            a_script_reaches_the_pods_byte_for_byte: 0,
            a_script_on_an_mpi_runtime_is_handed_on_by_mpirun: 0,
            what_is_no_python_is_refused_before_it_is_sent: 0,
            a_model_is_fine_tuned_on_a_dataset_with_lora: 2,
            what_torchtune_cannot_do_is_refused_before_it_is_sent: 0,
            the_rules_of_fine_tuning_are_those_of_the_webhook: 0,
            a_dataset_on_a_claim_is_mounted_where_it_is_read: 1,
            a_job_for_a_queue_tells_whether_anybody_serves_the_queue: 0,
            a_job_that_is_created_suspended_is_answered_as_such: 0,
            a_trainings_progress_is_read_from_its_log_and_from_its_report: 0,
            an_out_of_memory_is_diagnosed_and_fixed_by_a_copy: 0,
            a_job_of_another_client_is_copied_once: 0,
            a_shortage_of_devices_is_explained: 0,
            what_waiting_does_not_bring_is_told_as_that: 0,
            a_quota_is_the_cause_of_missing_pods: 0,
            the_log_of_what_failed_first_tells_the_cause: 0,
            a_back_off_limit_is_told_with_its_cause_and_without_it: 0,
            what_pods_wait_for_is_named: 0,
            what_a_webhook_refuses_later_is_found_and_fixed: 0,
            a_job_that_cannot_be_resumed_is_run_by_a_copy: 2,
            a_preempted_pod_is_told_from_one_that_failed: 0,
            a_job_that_was_checked_runs: 1,
            what_a_check_refuses_the_submit_refuses: 0,
            devices_that_no_node_has_block: 0,
            a_quota_that_is_too_small_blocks: 0,
            a_claim_that_is_not_there_blocks: 1,
            a_volume_that_nobody_makes_blocks: 1,
            a_secret_that_is_not_there_blocks: 0,
            a_v1_job_is_listed_read_paused_resumed_and_deleted: 0,
            every_v1_kind_is_read_resumed_and_deleted: 0,
            a_deletion_tells_which_claims_go_and_which_stay: 2,
            a_job_names_where_its_outputs_lie: 2,
            a_ddp_script_is_trained_on_two_nodes_with_four_gpus: 8,
            a_container_is_paused_so_that_another_gets_its_gpus: 4,
        }
    };
}

/// The arguments of a job that runs until it is told to end.
fn submit(name: &str, nodes: u32, gpus: u32) -> Value {
    json!({
        "name": name, "image": "example.com/train:1", "num_nodes": nodes, "gpu_per_node": gpus,
        "env": {"EPOCHS": "3", "SIM_RUN": "10h", "SIM_LOG": "epoch 1 loss 0.9\nepoch 2 loss 0.7\nsaved to /checkpoints/2"},
    })
}

/// A job by its name.
fn job(name: &str) -> Value {
    json!({"name": name})
}

/// Arguments with one changed.
fn with(mut arguments: Value, key: &str, value: Value) -> Value {
    arguments[key] = value;
    arguments
}
