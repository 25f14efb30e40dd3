//! Tests of what log lines are taken for.

use super::*;

fn told(log: &str) -> Vec<(&'static str, String, Vec<String>)> {
    let lines: Vec<String> = log.lines().map(str::to_owned).collect();
    read(&lines)
        .into_iter()
        .map(|told| (told.code, told.what, told.lines))
        .collect()
}

fn codes(log: &str) -> Vec<&'static str> {
    told(log).into_iter().map(|(code, _, _)| code).collect()
}

const PLAIN: &str = r#"epoch 1
Traceback (most recent call last):
  File "/workspace/train.py", line 40, in <module>
    main()
  File "/workspace/train.py", line 31, in main
    data = load("x")
           ^^^^^^^^^
  File "/usr/local/lib/python3.12/site-packages/datasets/load.py", line 7, in load
    raise KeyError(name)
KeyError: 'text'"#;

#[test]
fn the_exception_and_the_users_own_line_are_found() {
    assert_eq!(
        told(PLAIN),
        [(
            "PythonException",
            "the program ended with an exception (/workspace/train.py line 31)".to_owned(),
            vec![
                r#"File "/workspace/train.py", line 31, in main"#.to_owned(),
                "KeyError: 'text'".to_owned()
            ]
        )]
    );
    let syntax = "  File \"/workspace/train.py\", line 3\n    print(\n         ^\nSyntaxError: '(' was never closed";
    assert_eq!(told(syntax)[0].2[1], "SyntaxError: '(' was never closed");
    assert_eq!(
        told("Traceback (most recent call last):\nValueError: no such column")[0].2,
        ["ValueError: no such column"]
    );
    let own = "Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\nNoSuchColumn: x";
    assert_eq!(told(own)[0].2[1], "NoSuchColumn: x");
}

#[test]
fn the_launchers_exception_is_not_the_cause() {
    let log = format!(
        "{PLAIN}\nE1121 10:00:00 api.py:882] failed (exitcode: 1) local_rank: 0\nTraceback (most recent call last):\n  File \"/usr/local/bin/torchrun\", line 8, in <module>\n    sys.exit(main())\n\
         torch.distributed.elastic.multiprocessing.errors.ChildFailedError: \n==========\ntrain.py FAILED"
    );
    assert_eq!(told(&log)[0].2[1], "KeyError: 'text'");
}

#[test]
fn processes_that_print_at_once_are_told_apart() {
    let log = "[rank0]: Traceback (most recent call last):\n[rank1]: Traceback (most recent call last):\n\
        [rank0]:   File \"/w/a.py\", line 1, in f\n[rank1]:   File \"/w/b.py\", line 2, in g\n\
        [rank1]: ValueError: one\n[rank0]: RuntimeError: Connection reset by peer";
    assert_eq!(told(log)[0].2, [r#"File "/w/b.py", line 2, in g"#, "ValueError: one"]);
}

#[test]
fn the_last_line_may_lack_the_mark_of_its_process() {
    let log = "[rank2]: Traceback (most recent call last):\n[rank2]:   File \"/w/a.py\", line 1, in f\nValueError: one";
    assert_eq!(told(log)[0].2, [r#"File "/w/a.py", line 1, in f"#, "ValueError: one"]);
}

#[test]
fn what_libraries_say_is_known() {
    for (log, want) in [
        (
            "[rank0]: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB",
            &["GpuOutOfMemory"][..],
        ),
        (
            "jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1 bytes",
            &["GpuOutOfMemory"],
        ),
        (
            "RuntimeError: DataLoader worker (pid 12) is killed by signal: Bus error. It is possible that dataloader's workers are out of \
             shared memory\nERROR: Unexpected bus error encountered in worker. This might be caused by insufficient shared memory (shm).",
            &["SharedMemory"],
        ),
        (
            "  traceback : Signal 9 (SIGKILL) received by PID 57",
            &["ProcessKilled"],
        ),
        (
            "[rank3]:[E1121 ProcessGroupNCCL.cpp:629] [Rank 3] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=9, \
             OpType=ALLREDUCE, Timeout(ms)=600000) ran for 600029 milliseconds before timing out.",
            &["NcclTimeout"],
        ),
        (
            "torch.distributed.DistNetworkError: The client socket has timed out after 60000ms while trying to connect to (a, 29500).",
            &["Rendezvous"],
        ),
        ("loss 0.9\nsaved to /checkpoints", &[]),
        ("ValueError: caught and printed, then went on\nepoch 2", &[]),
        ("", &[]),
    ] {
        assert_eq!(codes(log), want, "{log}");
    }
}

#[test]
fn an_exception_that_is_a_sign_is_its_evidence() {
    let log = "Traceback (most recent call last):\n  File \"/w/a.py\", line 5, in f\n    loss.backward()\n\
        torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB";
    let told = told(log);
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].0, told[0].2[1].as_str()),
        ("GpuOutOfMemory", r#"File "/w/a.py", line 5, in f"#)
    );
    // the exception of one rank is why the others waited in vain
    let both = format!("{PLAIN}\n[rank1]: Watchdog caught collective operation timeout: x");
    assert_eq!(codes(&both), ["PythonException", "NcclTimeout"]);
}
