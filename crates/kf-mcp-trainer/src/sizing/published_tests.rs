//! The sum against published measurements and statements, with the error that is promised.

use super::memory::GIB;
use super::sample::plan;
use super::*;

type Change = fn(Plan) -> Plan;
/// Model, method, change, GPUs, GiB by sequence length.
type Series = (&'static str, Method, Change, f64, &'static [f64]);
/// Model, method, change, tokens, GiB.
type Figure = (&'static str, Method, Change, u32, f64);

/// A published figure.
struct Published {
    source: &'static str,
    model: &'static str,
    method: Method,
    /// What differs from [`plan`].
    change: Change,
    tokens: u32,
    /// GiB of one GPU.
    gib: f64,
    /// Whether the figure is what the driver says, with context and fragments, or what PyTorch allocated.
    driver: bool,
}

fn same(plan: Plan) -> Plan {
    plan
}

/// The profile of Qwen's README ("Profiling of Memory and Speed"): A100-80GB, batch 1, checkpointing, adapters of rank 64 on
/// every matrix, GPTQ 4 bit for Q-LoRA, by sequence length from 256 to 8192.
fn qwen() -> Vec<Published> {
    let rank = |plan| Plan { lora_rank: 64, ..plan };
    let zero3 = |plan| Plan {
        lora_rank: 64,
        gpus: 4,
        ..plan
    };
    let two = |plan| Plan { gpus: 2, ..plan };
    let rows: [Series; 9] = [
        ("qwen-1.8b", Method::Lora, rank, 1.0, &[6.7, 7.4, 8.4, 11.0, 16.2, 21.8]),
        ("qwen-1.8b", Method::Qlora, rank, 1.0, &[5.8, 6.0, 6.6, 7.8, 10.2, 15.8]),
        (
            "qwen-7b",
            Method::Lora,
            rank,
            1.0,
            &[20.1, 20.4, 21.5, 23.8, 29.7, 36.6],
        ),
        (
            "qwen-7b",
            Method::Qlora,
            rank,
            1.0,
            &[11.5, 11.5, 12.3, 13.9, 16.9, 23.5],
        ),
        ("qwen-7b", Method::Full, two, 2.0, &[139.2, 148.0, 162.0]),
        (
            "qwen-14b",
            Method::Lora,
            rank,
            1.0,
            &[34.6, 35.1, 35.3, 37.4, 42.5, 55.2],
        ),
        (
            "qwen-14b",
            Method::Qlora,
            rank,
            1.0,
            &[18.7, 18.4, 18.9, 19.9, 23.0, 27.9],
        ),
        (
            "qwen-72b",
            Method::Qlora,
            rank,
            1.0,
            &[61.4, 61.4, 62.9, 64.1, 68.0, 75.6],
        ),
        (
            "qwen-72b",
            Method::Lora,
            zero3,
            4.0,
            &[215.4, 217.7, 222.6, 228.8, 249.0, 289.2],
        ),
    ];
    let lengths = [256, 512, 1024, 2048, 4096, 8192];
    rows.into_iter()
        .flat_map(|(model, method, change, gpus, figures)| {
            figures.iter().zip(lengths).map(move |(figure, tokens)| Published {
                source: "Qwen README",
                model,
                method,
                change,
                tokens,
                gib: figure / gpus,
                driver: true,
            })
        })
        .collect()
}

/// torchtune: README ("Memory and training speed": batch 2, sequences packed to 2048, compiled) and its LoRA tutorial
/// (Llama 2 7B, batch 2 of Alpaca, which is up to 512 tokens, in 10⁹ bytes). The README does not say which rows recompute
/// activations or page the optimizer; that is taken from the recipes' configurations. The two rows that step within the
/// backward pass or on the CPU are left out: no plan of ours does.
fn torchtune() -> Vec<Published> {
    let pure = |plan| Plan {
        precision: Precision::Pure,
        ..plan
    };
    let open = |plan| Plan {
        precision: Precision::Pure,
        checkpointing: false,
        ..plan
    };
    let paged = |plan| Plan {
        precision: Precision::Pure,
        optimizer: Optimizer::PagedAdamw8bit,
        ..plan
    };
    let eight = |plan| Plan {
        precision: Precision::Pure,
        gpus: 8,
        ..plan
    };
    let rank = |plan| Plan {
        precision: Precision::Pure,
        lora_rank: 64,
        ..plan
    };
    let gb = 1e9 / GIB;
    let rows: [Figure; 8] = [
        ("llama-3.1-8b", Method::Full, paged, 4096, 37.4),
        ("llama-3.1-8b", Method::Lora, pure, 4096, 16.2),
        ("llama-3.1-8b", Method::Lora, open, 4096, 30.3),
        ("llama-3.1-8b", Method::Qlora, pure, 4096, 7.4),
        ("llama-3.1-70b", Method::Lora, eight, 4096, 27.6),
        ("llama-3.1-405b", Method::Qlora, eight, 4096, 44.8),
        ("llama-2-7b", Method::Lora, pure, 1024, 15.57 * gb),
        ("llama-2-7b", Method::Lora, rank, 1024, 17.04 * gb),
    ];
    rows.into_iter()
        .map(|(model, method, change, tokens, gib)| Published {
            source: "torchtune",
            model,
            method,
            change,
            tokens,
            gib,
            driver: false,
        })
        .collect()
}

/// LongLoRA (Chen et al. 2023), table 12: plain LoRA of Llama 2 7B at 8192 tokens, 25.7 GB.
fn longlora() -> Published {
    Published {
        source: "LongLoRA",
        model: "llama-2-7b",
        method: Method::Lora,
        change: same,
        tokens: 8192,
        gib: 25.7 * 1e9 / GIB,
        driver: true,
    }
}

/// The promise: the estimate is within 25 % of each measurement, 10 % on average, and the range holds it within 10 %. What
/// a logit costs and what the overhead is were chosen with Qwen's figures in view, so on other code expect the range.
#[test]
fn the_estimate_is_within_a_quarter_of_what_was_measured() {
    let mut lines = Vec::new();
    let mut errors = Vec::new();
    let mut wrong = Vec::new();
    for figure in qwen().into_iter().chain(torchtune()).chain([longlora()]) {
        let plan = (figure.change)(Plan {
            sequence: figure.tokens,
            ..plan(figure.model, figure.method)
        });
        let parts = per_gpu(&plan);
        let mut sum = parts.total();
        if !figure.driver {
            let overhead = parts.overhead;
            sum = Range {
                low: sum.low - overhead.low,
                mid: sum.mid - overhead.mid,
                high: sum.high - overhead.high,
            };
        }
        let error = sum.mid / GIB / figure.gib - 1.0;
        let line = format!(
            "{} {} {} {}: {:.1} GiB, estimated {:.1} ({:.1} to {:.1}), {:+.0} %",
            figure.source,
            figure.model,
            figure.method.as_str(),
            figure.tokens,
            figure.gib,
            sum.mid / GIB,
            sum.low / GIB,
            sum.high / GIB,
            100.0 * error
        );
        let held = (0.9 * sum.low..=1.1 * sum.high).contains(&(figure.gib * GIB));
        if error.abs() > 0.25 || !held {
            wrong.push(line.clone());
        }
        errors.push(error.abs());
        lines.push(line);
    }
    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
    assert!(
        wrong.is_empty() && mean < 0.10,
        "mean {mean:.3}\n{}\n\nall:\n{}",
        wrong.join("\n"),
        lines.join("\n")
    );
}

/// One known exception: full tuning of a small model with DeepSpeed ZeRO-3 on one GPU, 43.5G for 1.8 billion parameters
/// up to 2048 tokens (Qwen README). Its buffers of fixed size weigh more than the model's weights; the range comes near.
#[test]
fn buffers_of_fixed_size_are_underestimated() {
    let sum = per_gpu(&plan("qwen-1.8b", Method::Full)).total();
    let error = sum.mid / GIB / 43.5 - 1.0;
    assert!((-0.30..-0.20).contains(&error), "{error}");
    assert!(sum.high / GIB > 43.5);
}

/// Rajbhandari et al. 2020, ZeRO: 24 GB for the 1.5 billion parameters of GPT-2 (§3.1), and figure 1: 7.5 billion on 64
/// GPUs take 120 GB, 31.4 with the optimizer sharded, 16.6 with gradients too, 1.9 with everything.
#[test]
fn states_are_those_of_zero() {
    let mut asked = plan("gpt2-xl", Method::Full);
    let states = |plan: &Plan| {
        let parts = per_gpu(plan);
        (parts.weights.mid + parts.gradients.mid + parts.optimizer.mid) / 1e9
    };
    asked.model.params = 1.5e9;
    assert!((states(&asked) - 24.0).abs() < 0.01);
    asked.model.params = 7e9;
    assert!((states(&asked) - 112.0).abs() < 0.01);
    asked.model.params = 7.5e9;
    asked.gpus = 64;
    for (sharding, gigabytes) in [
        (Sharding::None, 120.0),
        (Sharding::Zero1, 31.4),
        (Sharding::Zero2, 16.6),
        (Sharding::Fsdp, 1.9),
    ] {
        asked.sharding = sharding;
        assert!(
            (states(&asked) - gigabytes).abs() < 0.05,
            "{sharding:?}: {}",
            states(&asked)
        );
    }
}

/// Korthikanti et al. 2022: 34·s·b·h bytes a layer without the scores, and 2·s·b·h a layer when all is recomputed.
#[test]
fn activations_are_those_of_korthikanti() {
    let mut asked = plan("pythia-12b", Method::Full);
    (asked.batch, asked.checkpointing) = (4, false);
    let dims = asked.model.dims;
    let unit = f64::from(dims.hidden) * f64::from(asked.batch) * f64::from(asked.sequence);
    let layers = f64::from(dims.layers);
    let all = per_gpu(&asked).activations.mid;
    assert!((all / layers / unit - 34.0).abs() < 0.01, "{}", all / layers / unit);
    asked.checkpointing = true;
    let saved = per_gpu(&asked).activations.mid;
    assert!((saved / unit - (2.0 * layers + 34.0)).abs() < 0.01);
}

/// Dettmers et al. 2023, QLoRA, abstract and §1: tuning 65 billion parameters takes over 780 GB in 16 bit, and a single
/// GPU of 48 GB with QLoRA (rank 64 on every matrix, batch 1, 512 tokens); 33 billion take one of 24 GB, with paging.
#[test]
fn qlora_brings_65b_onto_one_gpu() {
    let full = per_gpu(&Plan {
        optimizer: Optimizer::Sgd,
        ..plan("llama-65b", Method::Full)
    });
    // 2 + 2 + 8 bytes: 16-bit weights and gradients, 32-bit moments.
    let moments = 8.0 * 65.286e9;
    let sixteen = full.weights.mid + full.gradients.mid + moments;
    assert!((sixteen / 1e9 - 783.0).abs() < 1.0, "{}", sixteen / 1e9);
    for (model, gib) in [("llama-65b", 48.0), ("llama-33b", 24.0)] {
        let paper = |rank| Plan {
            lora_rank: rank,
            sequence: 512,
            ..plan(model, Method::Qlora)
        };
        let sum = per_gpu(&paper(64)).total();
        assert!(sum.low < gib * GIB && gib * GIB < sum.high, "{model}: {sum:?}");
        assert!((sum.mid / GIB / gib - 1.0).abs() < 0.15, "{model}: {}", sum.mid / GIB);
        let small = per_gpu(&paper(8)).total();
        assert!(small.mid < gib * GIB, "{model}");
    }
}

/// Rank 64 on every matrix of Llama 2 7B's blocks is what PEFT prints for `all-linear`: 159,907,840.
#[test]
fn adapters_are_counted_as_peft_counts_them() {
    let asked = Plan {
        lora_rank: 64,
        ..plan("llama-2-7b", Method::Lora)
    };
    assert_eq!(asked.adapter_params(), 159_907_840.0);
}

/// Hugging Face's "Model training anatomy": BERT-large in 32 bit takes 16 bytes a parameter, and its kernels 1.3 GB.
#[test]
fn thirty_two_bit_is_sixteen_bytes() {
    let asked = Plan {
        weights: Weights::Fp32,
        batch: 4,
        sequence: 512,
        ..plan("bert-large", Method::Full)
    };
    let parts = per_gpu(&asked);
    let states = parts.weights.mid + parts.gradients.mid + parts.optimizer.mid;
    assert_eq!(states, 16.0 * asked.model.params);
    assert_eq!(parts.logits, Range::default());
}

#[test]
fn every_saving_saves_and_every_cost_costs() {
    let base = Plan {
        batch: 4,
        ..plan("llama-3.1-8b", Method::Lora)
    };
    let need = |plan: Plan| per_gpu(&plan).total().mid;
    assert!(need(base.with_method(Method::Qlora)) < need(base));
    assert!(need(base) < need(base.with_method(Method::Dora)));
    assert!(need(base.with_method(Method::Dora)) < need(base.with_method(Method::Full)));
    assert!(
        need(base)
            < need(Plan {
                checkpointing: false,
                ..base
            })
    );
    assert!(
        need(Plan {
            precision: Precision::Pure,
            ..base
        }) < need(base)
    );
    assert!(need(Plan { batch: 1, ..base }) < need(base));
    let full = base.with_method(Method::Full);
    assert!(
        need(Plan {
            optimizer: Optimizer::Adamw8bit,
            ..full
        }) < need(full)
    );
    assert!(
        need(Plan {
            optimizer: Optimizer::Sgd,
            ..full
        }) < need(Plan {
            optimizer: Optimizer::Adafactor,
            ..full
        })
    );
    for method in Method::ALL {
        let asked = Plan {
            gpus: 8,
            ..base.with_method(method)
        };
        let by = |sharding| need(Plan { sharding, ..asked });
        assert!(by(Sharding::Fsdp) < by(Sharding::None), "{method:?}");
        for (name, part) in per_gpu(&asked).named() {
            assert!(
                part.low <= part.mid && part.mid <= part.high,
                "{method:?} {name}: {part:?}"
            );
        }
    }
}
