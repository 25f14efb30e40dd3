//! Logs of whole trainings, and what is told of them.

use super::*;

fn story(lines: &[&str]) -> Told {
    timed(&lines.iter().map(|line| (None, *line)).collect::<Vec<_>>())
}

fn timed(lines: &[(Option<i64>, &str)]) -> Told {
    let mut story = Story::new(20, None);
    for (second, line) in lines {
        let at = second.map(|second| jiff::Timestamp::from_second(1_800_000_000 + second).unwrap());
        story.push(line, at);
    }
    story.told()
}

fn names(told: &Told) -> Vec<&str> {
    told.metrics.iter().map(|series| series.name.as_str()).collect()
}

#[test]
fn hugging_face_has_its_values_in_dictionaries_and_its_step_in_a_bar() {
    let told = story(&[
        "Loading checkpoint shards: 100%|██████████| 4/4 [00:05<00:00,  1.25s/it]",
        "  0%|          | 0/300 [00:00<?, ?it/s]",
        " 33%|███▎      | 100/300 [00:50<01:40,  2.00it/s]",
        "{'loss': 1.5, 'grad_norm': 0.9, 'learning_rate': 2e-05, 'epoch': 1.0}",
        " 50%|█████     | 5/10 [00:01<00:01,  4.00it/s]",
        "{'eval_loss': 1.4, 'eval_runtime': 2.5, 'eval_samples_per_second': 40.0, 'epoch': 1.0}",
        " 67%|██████▋   | 200/300 [01:40<00:50,  2.00it/s]",
        "{'loss': '1.2', 'grad_norm': '0.8', 'learning_rate': '1e-05', 'epoch': '2.0'}",
        "100%|██████████| 10/10 [00:02<00:00,  4.00it/s]",
    ]);
    assert_eq!(told.families, [Family::HuggingFace, Family::Tqdm]);
    let at = &told.position;
    assert_eq!(
        (at.step, at.steps, at.epoch, at.percent, at.eta_seconds),
        (Some(200), Some(300), Some(2.0), Some(66.7), Some(50))
    );
    assert_eq!((at.throughput[0].unit.as_str(), at.throughput[0].value), ("it/s", 2.0));
    assert_eq!(names(&told), ["loss", "eval_loss", "grad_norm", "learning_rate"]);
    assert_eq!(
        (told.metrics[0].by, &told.metrics[0].x, &told.metrics[0].y),
        (Along::Epoch, &vec![1.0, 2.0], &vec![1.5, 1.2])
    );
    assert_eq!((told.lines, told.matched), (9, 8));
}

#[test]
fn epochs_of_bars_are_put_one_after_the_other() {
    let lightning = story(&[
        "Epoch 0:  50%|█████| 20/40 [00:05<00:05,  4.00it/s, v_num=0, train_loss=0.9]",
        "Epoch 0: 100%|█████| 40/40 [00:10<00:00,  4.00it/s, v_num=0, train_loss=0.8]",
        "Epoch 1:  25%|██▌| 10/40 [00:02<00:07,  4.00it/s, v_num=0, train_loss=0.7]",
    ]);
    assert_eq!(lightning.metrics[0].x, [20.0, 40.0, 50.0]);
    let at = &lightning.position;
    assert_eq!(
        (at.epoch, at.epoch_step, at.epoch_steps, at.percent),
        (Some(1.0), Some(10), Some(40), None)
    );
    assert_eq!((at.eta_seconds, at.epoch_eta_seconds), (None, Some(7)));

    let keras = story(&[
        "Epoch 1/2",
        "10/10 ━━━━━━━━━━ 1s 100ms/step - accuracy: 0.5 - loss: 1.0",
        "Epoch 2/2",
        " 5/10 ━━━━━━━━━━ 0s 100ms/step - accuracy: 0.6 - loss: 0.9",
    ]);
    assert_eq!(keras.metrics[0].x, [10.0, 15.0]);
    let at = &keras.position;
    assert_eq!(
        (at.epoch, at.epochs, at.percent, at.eta_seconds),
        (Some(2.0), Some(2.0), Some(75.0), Some(1))
    );
}

#[test]
fn steps_of_torchtune_are_those_of_all_epochs() {
    let told = story(&[
        "1|249|Loss: 1.5:  99%|█████████▉| 249/250 [01:39<00:00,  2.50it/s]",
        "2|260|Loss: 1.2:   4%|▍| 10/250 [00:04<01:36,  2.50it/s]",
    ]);
    assert_eq!(
        (told.position.step, told.position.epoch, told.position.epoch_eta_seconds),
        (Some(260), Some(2.0), Some(96))
    );
    assert_eq!(
        (told.metrics[0].by, &told.metrics[0].x),
        (Along::Step, &vec![249.0, 260.0])
    );
}

#[test]
fn pace_and_time_to_go_are_measured_where_they_are_not_told() {
    let told = timed(&[
        (Some(0), "step 100/1000 loss=2.0"),
        (Some(50), "step 200/1000 loss=1.5"),
    ]);
    let rate = &told.position.throughput[0];
    assert_eq!((rate.unit.as_str(), rate.value, rate.measured), ("steps/s", 2.0, true));
    assert_eq!(
        (told.position.eta_seconds, told.position.percent),
        (Some(400), Some(20.0))
    );
    assert_eq!(told.updated.unwrap().as_second(), 1_800_000_050);
    // The steps fall when a run goes on from a checkpoint: the time before that does not count.
    let again = timed(&[
        (Some(0), "step 900/1000 loss=2.0"),
        (Some(500), "step 500/1000 loss=1.5"),
        (Some(510), "step 510/1000 loss=1.5"),
    ]);
    assert_eq!(again.position.throughput[0].value, 1.0);
    assert_eq!(again.metrics[0].by, Along::Order);
}

#[test]
fn a_loss_that_is_no_number_is_told() {
    let told = story(&["step 1 loss=1.0", "step 2 loss=nan", "step 3 loss=inf"]);
    let loss = &told.metrics[0];
    assert_eq!(
        (loss.not_finite, loss.not_finite_now, loss.latest),
        (2, true, Some(1.0))
    );
}

#[test]
fn a_log_is_bounded_in_all_directions() {
    let mut story = Story::new(5, Some("M1"));
    for step in 0..1000 {
        let values: Vec<String> = (0..30).map(|n| format!("m{n}={step}")).collect();
        story.push(&format!("step {step} loss=1 {}", values.join(" ")), None);
        story.push(
            &format!("{}%| | {step}/{} [00:01<00:02, 1it/s]", step % 100, step + 5000),
            None,
        );
    }
    story.push(&"x".repeat(100_000), None);
    story.push(&"é|%|".repeat(1000), None);
    let told = story.told();
    assert!(
        told.metrics.len() <= 12 && told.metrics.iter().all(|series| series.y.len() == 5),
        "{told:?}"
    );
    assert!(
        names(&told).iter().all(|name| name.contains("m1")),
        "{:?}",
        names(&told)
    );
    assert_eq!(told.metrics[0].max, Some(999.0));
}

#[test]
fn nothing_is_made_of_a_log_without_progress() {
    let told = story(&["hello", "", "Traceback (most recent call last):"]);
    assert_eq!(
        (told.matched, told.lines, told.position, told.metrics),
        (0, 3, Position::default(), vec![])
    );
}
