//! The memory of one GPU, part by part. Every part is a range: what careful code needs, what is likely, what plain code
//! needs. Activations assume attention that keeps no scores (Dao et al. 2022, FlashAttention), which is PyTorch's default.

use std::ops::Add;

use super::method::{Method, Plan, Precision, Sharding};
use super::model::Kind;

/// Bytes of a GiB.
pub(crate) const GIB: f64 = (1_u64 << 30) as f64;

/// Bytes: the least, the likely and the most.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Range {
    pub(crate) low: f64,
    pub(crate) mid: f64,
    pub(crate) high: f64,
}

impl Range {
    fn of([low, mid, high]: [f64; 3]) -> Self {
        Self { low, mid, high }
    }

    fn times(self, factor: f64) -> Self {
        Self::of([self.low * factor, self.mid * factor, self.high * factor])
    }

    /// Wider for what is guessed.
    fn unsure(self) -> Self {
        Self::of([self.low * 0.5, self.mid, self.high * 1.5])
    }
}

impl Add for Range {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self::of([self.low + other.low, self.mid + other.mid, self.high + other.high])
    }
}

/// What lies in the memory of one GPU.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Parts {
    /// The model's weights.
    pub(crate) weights: Range,
    /// LoRA's weights with their gradients and optimizer states.
    pub(crate) adapters: Range,
    /// Gradients of the weights.
    pub(crate) gradients: Range,
    /// Optimizer states, and the 32-bit copy of the weights.
    pub(crate) optimizer: Range,
    /// What the forward pass keeps for the backward pass.
    pub(crate) activations: Range,
    /// The output over the vocabulary, and its loss.
    pub(crate) logits: Range,
    /// Buffers of sharding and data parallelism.
    pub(crate) buffers: Range,
    /// The CUDA context, libraries, and what the allocator cannot use.
    pub(crate) overhead: Range,
}

impl Parts {
    /// The parts by name, in the order of the life of a step.
    pub(crate) fn named(&self) -> [(&'static str, Range); 8] {
        [
            ("weights", self.weights),
            ("adapters", self.adapters),
            ("gradients", self.gradients),
            ("optimizer", self.optimizer),
            ("activations", self.activations),
            ("logits", self.logits),
            ("buffers", self.buffers),
            ("overhead", self.overhead),
        ]
    }

    /// The sum.
    pub(crate) fn total(&self) -> Range {
        self.named()
            .into_iter()
            .fold(Range::default(), |sum, (_, part)| sum + part)
    }
}

/// What one GPU of a plan holds at its fullest moment.
pub(crate) fn per_gpu(plan: &Plan) -> Parts {
    let mut parts = Parts {
        weights: weights(plan).times(share(plan, Shard::Weights)),
        activations: activations(plan),
        logits: logits(plan),
        ..Parts::default()
    };
    if plan.method == Method::Full {
        let [gradients, optimizer] = trained(plan, plan.model.params);
        parts.gradients = gradients.times(share(plan, Shard::Gradients));
        parts.optimizer = optimizer.times(share(plan, Shard::Optimizer));
    } else {
        parts.adapters = adapters(plan);
    }
    parts.buffers = buffers(plan);
    parts.overhead = overhead(plan, parts.total());
    parts
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Shard {
    Optimizer,
    Gradients,
    Weights,
}

/// The part of a GPU: ZeRO shards the optimizer first (stage 1), then gradients (2), then weights (3, which is FSDP), each
/// over all GPUs (Rajbhandari et al. 2020, ZeRO, §5; Zhao et al. 2023, FSDP).
fn share(plan: &Plan, what: Shard) -> f64 {
    let sharded = match plan.sharding {
        Sharding::Fsdp => true,
        Sharding::Zero2 => what <= Shard::Gradients,
        Sharding::Zero1 => what == Shard::Optimizer,
        Sharding::None => false,
    };
    if sharded {
        1.0 / f64::from(plan.gpus.max(1))
    } else {
        1.0
    }
}

/// Weights: numbers of the chosen size. Of a quantised model only the blocks' matrices are quantised; embedding, output
/// layer and norms stay in 16 bit (torchtune), or are made 32 bit (PEFT's `prepare_model_for_kbit_training`).
fn weights(plan: &Plan) -> Range {
    let all = plan.model.params;
    if !plan.weights.quantised() {
        return Range::of([plan.weights.compute() * all; 3]);
    }
    let matrices = plan.model.dims.matrices().min(all);
    let rest = match plan.precision {
        Precision::Mixed => [2.0, 4.0, 4.0],
        Precision::Pure => [2.0, 2.0, 4.0],
    };
    Range::of(plan.weights.matrix()).times(matrices) + Range::of(rest).times(all - matrices)
}

/// Gradients and optimizer states of what is trained.
///
/// Mixed precision with Adam is 2 + 2 + 12 bytes for each parameter: 16-bit weights and gradients, and 32-bit weights and
/// moments (Rajbhandari et al. 2020, ZeRO, §3.1). Automatic mixed precision comes to 18 (Hugging Face, "Model training
/// anatomy"), and DeepSpeed holds 32-bit gradients during the step: 20. In pure 16 bit it is 2 + 2 + 4, and an optimizer
/// that steps within the backward pass (torchtune's `optimizer_in_bwd`) needs no gradients.
fn trained(plan: &Plan, params: f64) -> [Range; 2] {
    let number = plan.weights.compute();
    let (gradients, copy, state) = match plan.precision {
        _ if number > 2.0 => ([number; 3], [0.0; 3], number),
        Precision::Mixed => ([2.0, 2.0, 4.0], [4.0, 4.0, 6.0], 4.0),
        Precision::Pure => ([0.0, 2.0, 2.0], [0.0; 3], 2.0),
    };
    let optimizer = Range::of(copy) + Range::of(plan.optimizer.states(state));
    [Range::of(gradients).times(params), optimizer.times(params)]
}

/// LoRA's own weights, gradients and states: 32 bit in PEFT (4 + 4 + 8 bytes with Adam), 16 bit in torchtune (2 + 2 + 4).
/// The least adapts queries and values only (Hu et al. 2021, LoRA, §5): a fifth of what adapters on every matrix have.
fn adapters(plan: &Plan) -> Range {
    let number = if plan.precision == Precision::Mixed { 4.0 } else { 2.0 };
    let [least, ..] = plan.optimizer.states(2.0);
    let [_, likely, _] = plan.optimizer.states(number);
    let [.., most] = plan.optimizer.states(4.0);
    let each = Range::of([0.2 * (4.0 + least), 2.0 * number + likely, 8.0 + most]);
    each.times(plan.adapter_params() * share(plan, Shard::Weights))
}

/// Numbers of one block that the backward pass needs, for one token.
///
/// Counted as in Korthikanti et al. 2022, "Reducing Activation Recomputation in Large Transformer Models", §4.1, whose
/// 34·s·b·h bytes this gives for their dimensions (without the scores, and with dropout): the inputs of both norms and
/// their outputs, queries, keys, values, the attention's output, and the feed-forward layer's numbers. A gate adds two
/// of its width. The least recomputes what is element by element, as a compiler does.
fn block(plan: &Plan) -> Range {
    let dims = &plan.model.dims;
    let hidden = f64::from(dims.hidden);
    let wide = f64::from(dims.intermediate) * f64::from(dims.active_experts);
    let attention = 2.0 * dims.queries() + 2.0 * dims.keys();
    let dropout = if dims.gated { 0.0 } else { hidden };
    let kept = |norms: f64, per_wide: f64| norms * hidden + attention + per_wide * wide;
    let per_wide = 2.0 * (dims.wide() - 1.0);
    let cross = f64::from(dims.cross_layers) / f64::from(dims.layers.max(1)) * (attention + 2.0 * hidden);
    let likely = kept(4.0, per_wide) + dropout + cross;
    let extra = match plan.method {
        // The magnitude's gradient needs each output (Liu et al. 2024, DoRA, §4.3).
        Method::Dora => plan.outputs(),
        _ => 0.0,
    };
    // Norms and rotary positions that are computed in 32 bit keep more.
    Range::of([kept(2.0, per_wide / 2.0) + cross, likely + extra, 1.3 * likely + extra])
}

/// Activations: all blocks', or with checkpointing one block's and the input of each (Chen et al. 2016; the 2·s·b·h·L of
/// Korthikanti et al. 2022, table 2).
fn activations(plan: &Plan) -> Range {
    let layers = f64::from(plan.model.dims.layers);
    let number = plan.weights.compute();
    let block = block(plan).times(number * plan.tokens());
    let total = if plan.checkpointing {
        let inputs = layers * f64::from(plan.model.dims.hidden) * number * plan.tokens();
        Range::of([inputs; 3]) + block
    } else {
        block.times(layers)
    };
    if plan.known_dims { total } else { total.unsure() }
}

/// The output over the vocabulary. Plain code holds it in 16 bit, in 32 bit, and the loss's gradient of it: 10 bytes for
/// each token and word, 14 with the shifted copy; a loss in chunks (torchtune, Liger) 2 to 4. Encoders and image models
/// answer with a few classes.
fn logits(plan: &Plan) -> Range {
    let dims = &plan.model.dims;
    if matches!(dims.kind, Kind::Encoder | Kind::Vision) {
        return Range::default();
    }
    let each = match plan.precision {
        Precision::Mixed => [2.0, 10.0, 14.0],
        Precision::Pure => [2.0, 4.0, 10.0],
    };
    let total = Range::of(each).times(plan.tokens() * f64::from(dims.vocab));
    if plan.known_dims { total } else { total.unsure() }
}

/// Buffers beside the shards. FSDP gathers the block it computes and the next one, and the embedding (Zhao et al. 2023,
/// §3.3 and 4.3.2). Data parallelism copies gradients into buckets as large as they all (PyTorch's
/// `gradient_as_bucket_view`); DeepSpeed's are of 5·10⁸ numbers. DoRA computes the norm of one whole matrix.
fn buffers(plan: &Plan) -> Range {
    let dims = &plan.model.dims;
    let trained = if plan.method == Method::Full {
        plan.model.params
    } else {
        plan.adapter_params()
    };
    let sharding = match plan.sharding {
        _ if plan.gpus <= 1 => Range::default(),
        Sharding::Fsdp => {
            let block = if plan.weights.quantised() {
                plan.weights.matrix()[1]
            } else {
                plan.weights.compute()
            };
            let embedding = f64::from(dims.vocab) * f64::from(dims.hidden) * plan.weights.compute();
            Range::of([1.0, 2.0, 3.0]).times(dims.block() * block) + Range::of([0.0, 0.5, 1.0]).times(embedding)
        }
        Sharding::Zero1 | Sharding::Zero2 => Range::of([0.0, 1.0, 2.0]).times((2.0 * trained).min(1e9)),
        Sharding::None => Range::of([0.0, 1.0, 1.0]).times(2.0 * trained),
    };
    if plan.method != Method::Dora {
        return sharding;
    }
    let matrix = f64::from(dims.hidden) * f64::from(dims.intermediate);
    sharding + Range::of([2.0, 4.0, 8.0]).times(matrix)
}

/// What is not tensors: 0.4 to 2 GiB of context and kernels ("can take up 1-2GB", Hugging Face, "Model training anatomy"),
/// up to 1 GiB for collectives of several GPUs, and 0 to 10 % that the caching allocator holds in pieces.
fn overhead(plan: &Plan, rest: Range) -> Range {
    let collectives = if plan.gpus > 1 { [0.2, 0.5, 1.0] } else { [0.0; 3] };
    let context = (Range::of([0.4, 1.0, 2.0]) + Range::of(collectives)).times(GIB);
    context + Range::of([0.0, 0.05 * rest.mid, 0.10 * rest.high])
}

/// Bytes as people read memory: `14.9 GiB`, `112 GiB`.
pub(crate) fn gib(bytes: f64) -> String {
    match bytes / GIB {
        large if large >= 100.0 => format!("{large:.0} GiB"),
        small => format!("{small:.1} GiB"),
    }
}
