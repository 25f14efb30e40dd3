//! What a transformer is, as far as its memory goes.

/// What kind of transformer, which decides what its output costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Predicts the next token: GPT, Llama, Qwen.
    Decoder,
    /// Reads a text and answers with a class or a vector: BERT.
    Encoder,
    /// Reads one sequence and writes another: T5, Whisper.
    EncoderDecoder,
    /// Reads an image: ViT.
    Vision,
}

/// The dimensions that memory depends on, named as in a model's `config.json` where one name is usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dims {
    /// What kind of transformer it is.
    pub(crate) kind: Kind,
    /// Width of the residual stream.
    pub(crate) hidden: u32,
    /// Blocks; of an encoder-decoder those of both halves.
    pub(crate) layers: u32,
    /// Attention heads.
    pub(crate) heads: u32,
    /// Heads of keys and values (fewer with grouped-query attention, Ainslie et al. 2023).
    pub(crate) kv_heads: u32,
    /// Width of a head.
    pub(crate) head_dim: u32,
    /// Width of the feed-forward layer, of one expert if there are several.
    pub(crate) intermediate: u32,
    /// Tokens of the vocabulary, 0 for images.
    pub(crate) vocab: u32,
    /// Whether the feed-forward layer has a gate (SwiGLU, GeGLU), and so three matrices instead of two.
    pub(crate) gated: bool,
    /// Whether the output layer is the embedding.
    pub(crate) tied: bool,
    /// Feed-forward experts of a block, 1 for a dense model.
    pub(crate) experts: u32,
    /// Experts that each token goes through.
    pub(crate) active_experts: u32,
    /// Blocks that also attend to the encoder.
    pub(crate) cross_layers: u32,
}

/// A model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Model {
    /// Parameters in all, of every expert.
    pub(crate) params: f64,
    /// Its dimensions.
    pub(crate) dims: Dims,
    /// Tokens of one training sequence when the caller names no length.
    pub(crate) sequence: u32,
}

/// Tokens of one sequence where nothing else is known.
pub(crate) const SEQUENCE: u32 = 2048;
/// The vocabulary of a model of which nothing is known: today's open models have 32,000 to 262,000.
const VOCAB: u32 = 128_000;
/// How much wider than deep language models are: 4096 by 32 layers, 8192 by 80, 2048 by 16.
const ASPECT: f64 = 128.0;

impl Dims {
    /// A usual decoder of these dimensions: heads of 128, and 12·h² parameters a layer (4·h² of attention and 8·h² of
    /// feed-forward), as in "Transformer Math 101" (EleutherAI, 2023) and Kaplan et al. 2020, table 1.
    pub(crate) fn usual(hidden: u32, layers: u32) -> Self {
        let heads = (hidden / 128).max(1);
        Self {
            kind: Kind::Decoder,
            hidden,
            layers,
            heads,
            kv_heads: heads,
            head_dim: (hidden / heads).max(1),
            intermediate: hidden * 8 / 3,
            vocab: VOCAB,
            gated: true,
            tied: true,
            experts: 1,
            active_experts: 1,
            cross_layers: 0,
        }
    }

    /// What a decoder with so many parameters usually looks like: 12·L·h² with L = h / 128, so h = ∛(params · 128 / 12).
    pub(crate) fn guessed(params: f64) -> Self {
        let hidden = (params * ASPECT / 12.0).cbrt();
        let layers = (hidden / ASPECT).round().max(1.0);
        Self::usual(rounded(hidden), layers as u32)
    }

    /// Parameters of the matrices of all blocks: what LoRA adapts and NF4 quantises.
    pub(crate) fn matrices(&self) -> f64 {
        let attention = self.attention();
        let experts = f64::from(self.experts) * self.feed_forward();
        f64::from(self.layers) * (attention + experts) + f64::from(self.cross_layers) * attention
    }

    /// Parameters of one block's matrices, as they are gathered together when sharded.
    pub(crate) fn block(&self) -> f64 {
        self.matrices() / f64::from(self.layers.max(1))
    }

    /// Parameters of the embedding and of the output layer.
    pub(crate) fn embedding(&self) -> f64 {
        let copies = if self.tied { 1.0 } else { 2.0 };
        copies * f64::from(self.vocab) * f64::from(self.hidden)
    }

    /// All parameters that the dimensions tell; norms, biases and positions are under 3 % of a model.
    pub(crate) fn params(&self) -> f64 {
        self.matrices() + self.embedding()
    }

    /// Parameters that one token goes through.
    pub(crate) fn active(&self, params: f64) -> f64 {
        let idle = f64::from(self.experts.saturating_sub(self.active_experts));
        params - f64::from(self.layers) * idle * self.feed_forward()
    }

    /// Width of all queries.
    pub(crate) fn queries(&self) -> f64 {
        f64::from(self.heads) * f64::from(self.head_dim)
    }

    /// Width of all keys, or of all values.
    pub(crate) fn keys(&self) -> f64 {
        f64::from(self.kv_heads) * f64::from(self.head_dim)
    }

    /// Parameters of query, key, value and output.
    fn attention(&self) -> f64 {
        2.0 * f64::from(self.hidden) * (self.queries() + self.keys())
    }

    /// Parameters of one feed-forward expert.
    fn feed_forward(&self) -> f64 {
        self.wide() * f64::from(self.hidden) * f64::from(self.intermediate)
    }

    /// Matrices of a feed-forward layer.
    pub(crate) fn wide(&self) -> f64 {
        if self.gated { 3.0 } else { 2.0 }
    }
}

/// A width as models have it, a multiple of 64.
fn rounded(width: f64) -> u32 {
    ((width / 64.0).round() as u32).max(1) * 64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_alone_gives_usual_dimensions() {
        for (params, hidden, layers) in [(7e9, 4224, 33), (70e9, 9088, 71), (1.2e9, 2368, 18)] {
            let dims = Dims::guessed(params);
            assert_eq!((dims.hidden, dims.layers), (hidden, layers), "{params}");
            let told = dims.matrices();
            assert!((told / params - 1.0).abs() < 0.06, "{params}: {told}");
        }
    }

    #[test]
    fn of_a_mixture_only_the_chosen_experts_are_active() {
        let mixtral = Dims {
            hidden: 4096,
            layers: 32,
            heads: 32,
            kv_heads: 8,
            head_dim: 128,
            intermediate: 14336,
            vocab: 32000,
            tied: false,
            experts: 8,
            active_experts: 2,
            ..Dims::usual(4096, 32)
        };
        // Jiang et al. 2024, "Mixtral of Experts": 47B parameters, 13B active.
        assert!((mixtral.params() / 46.7e9 - 1.0).abs() < 0.01);
        assert!((mixtral.active(mixtral.params()) / 12.9e9 - 1.0).abs() < 0.01);
    }
}
