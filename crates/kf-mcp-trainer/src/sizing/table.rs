//! Published dimensions of well-known open models, as their `config.json` files and papers give them.
//!
//! A row is its names (`|` between them), millions of parameters, and hidden size, layers, heads, key-value heads, head
//! width, feed-forward width and vocabulary. A test computes the parameters of each row from its dimensions.

use super::model::{Dims, Kind, Model, SEQUENCE};

/// A model that the table knows.
pub(super) struct Row {
    /// Its names, with `|` between them.
    pub(super) names: &'static str,
    /// What it is.
    pub(super) model: Model,
}

/// A decoder with gated feed-forward and an output layer of its own.
const fn llm(names: &'static str, millions: u32, dims: [u32; 7]) -> Row {
    let [hidden, layers, heads, kv_heads, head_dim, intermediate, vocab] = dims;
    Row {
        names,
        model: Model {
            params: millions as f64 * 1e6,
            dims: Dims {
                kind: Kind::Decoder,
                hidden,
                layers,
                heads,
                kv_heads,
                head_dim,
                intermediate,
                vocab,
                gated: true,
                tied: false,
                experts: 1,
                active_experts: 1,
                cross_layers: 0,
            },
            sequence: SEQUENCE,
        },
    }
}

/// An older decoder: every head has its keys, two feed-forward matrices of four times the width, tied embedding.
const fn gpt(names: &'static str, millions: u32, hidden: u32, layers: u32, heads: u32, vocab: u32) -> Row {
    llm(
        names,
        millions,
        [hidden, layers, heads, heads, hidden / heads, 4 * hidden, vocab],
    )
    .plain()
    .tied()
}

/// An encoder of that shape.
const fn bert(names: &'static str, millions: u32, hidden: u32, layers: u32, heads: u32, vocab: u32) -> Row {
    gpt(names, millions, hidden, layers, heads, vocab)
        .kind(Kind::Encoder)
        .sequence(512)
}

/// A reader of images, cut into so many patches.
const fn vit(names: &'static str, millions: u32, hidden: u32, layers: u32, heads: u32, patches: u32) -> Row {
    gpt(names, millions, hidden, layers, heads, 0)
        .kind(Kind::Vision)
        .sequence(patches)
}

/// An encoder and a decoder of that many layers each.
const fn pair(names: &'static str, millions: u32, layers: u32, dims: [u32; 5]) -> Row {
    let [hidden, heads, head_dim, intermediate, vocab] = dims;
    let mut row = llm(
        names,
        millions,
        [hidden, 2 * layers, heads, heads, head_dim, intermediate, vocab],
    );
    row.model.dims.cross_layers = layers;
    row.kind(Kind::EncoderDecoder).sequence(512)
}

/// Whisper: 30 s of sound are 1500 positions.
const fn whisper(names: &'static str, millions: u32, hidden: u32, encoder: u32, decoder: u32) -> Row {
    let heads = hidden / 64;
    let mut row = gpt(names, millions, hidden, encoder + decoder, heads, 51_866);
    row.model.dims.cross_layers = decoder;
    row.kind(Kind::EncoderDecoder).sequence(1500)
}

impl Row {
    const fn tied(mut self) -> Self {
        self.model.dims.tied = true;
        self
    }

    const fn untied(mut self) -> Self {
        self.model.dims.tied = false;
        self
    }

    const fn plain(mut self) -> Self {
        self.model.dims.gated = false;
        self
    }

    const fn kind(mut self, kind: Kind) -> Self {
        self.model.dims.kind = kind;
        self
    }

    const fn sequence(mut self, tokens: u32) -> Self {
        self.model.sequence = tokens;
        self
    }

    const fn experts(mut self, all: u32, active: u32) -> Self {
        self.model.dims.experts = all;
        self.model.dims.active_experts = active;
        self
    }
}

/// The table.
#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    // Touvron et al. 2023 (LLaMA, Llama 2); Rozière et al. 2023 (Code Llama); Grattafiori et al. 2024 (Llama 3).
    llm("llama-7b|vicuna-7b|codellama-7b", 6738, [4096, 32, 32, 32, 128, 11008, 32000]),
    llm("llama-13b|vicuna-13b|codellama-13b", 13016, [5120, 40, 40, 40, 128, 13824, 32000]),
    llm("llama-33b|llama-30b|vicuna-33b", 32529, [6656, 60, 52, 52, 128, 17920, 32000]),
    llm("llama-65b", 65286, [8192, 80, 64, 64, 128, 22016, 32000]),
    llm("llama-2-7b", 6738, [4096, 32, 32, 32, 128, 11008, 32000]),
    llm("llama-2-13b", 13016, [5120, 40, 40, 40, 128, 13824, 32000]),
    llm("llama-2-70b|codellama-70b", 68977, [8192, 80, 64, 8, 128, 28672, 32000]),
    llm("codellama-34b", 33744, [8192, 48, 64, 8, 128, 22016, 32000]),
    llm("llama-3-8b", 8030, [4096, 32, 32, 8, 128, 14336, 128_256]),
    llm("llama-3-70b", 70554, [8192, 80, 64, 8, 128, 28672, 128_256]),
    llm("llama-3.1-8b|deepseek-r1-distill-llama-8b|distill-llama-8b", 8030, [4096, 32, 32, 8, 128, 14336, 128_256]),
    llm("llama-3.1-70b|llama-3.3-70b|deepseek-r1-distill-llama-70b|distill-llama-70b|nemotron-70b", 70554, [8192, 80, 64, 8, 128, 28672, 128_256]),
    llm("llama-3.1-405b", 405_853, [16384, 126, 128, 8, 128, 53248, 128_256]),
    llm("llama-3.2-1b", 1236, [2048, 16, 32, 8, 64, 8192, 128_256]).tied(),
    llm("llama-3.2-3b", 3213, [3072, 28, 24, 8, 128, 8192, 128_256]).tied(),
    llm("tinyllama-1.1b", 1100, [2048, 22, 32, 4, 64, 5632, 32000]),
    // Bai et al. 2023 (Qwen), Yang et al. 2024 (Qwen 2, 2.5) and 2025 (Qwen 3).
    llm("qwen-1.8b", 1837, [2048, 24, 16, 16, 128, 5504, 151_936]),
    llm("qwen-7b", 7721, [4096, 32, 32, 32, 128, 11008, 151_936]),
    llm("qwen-14b", 14167, [5120, 40, 40, 40, 128, 13696, 152_064]),
    llm("qwen-72b", 72288, [8192, 80, 64, 64, 128, 24576, 152_064]),
    llm("qwen2-0.5b", 494, [896, 24, 14, 2, 64, 4864, 151_936]).tied(),
    llm("qwen2-1.5b", 1544, [1536, 28, 12, 2, 128, 8960, 151_936]).tied(),
    llm("qwen2-7b", 7616, [3584, 28, 28, 4, 128, 18944, 152_064]),
    llm("qwen2-72b", 72706, [8192, 80, 64, 8, 128, 29568, 152_064]),
    llm("qwen2.5-0.5b", 494, [896, 24, 14, 2, 64, 4864, 151_936]).tied(),
    llm("qwen2.5-1.5b", 1544, [1536, 28, 12, 2, 128, 8960, 151_936]).tied(),
    llm("qwen2.5-3b", 3086, [2048, 36, 16, 2, 128, 11008, 151_936]).tied(),
    llm("qwen2.5-7b", 7616, [3584, 28, 28, 4, 128, 18944, 152_064]),
    llm("qwen2.5-14b", 14770, [5120, 48, 40, 8, 128, 13824, 152_064]),
    llm("qwen2.5-32b|qwq-32b", 32764, [5120, 64, 40, 8, 128, 27648, 152_064]),
    llm("qwen2.5-72b", 72706, [8192, 80, 64, 8, 128, 29568, 152_064]),
    llm("qwen3-0.6b", 596, [1024, 28, 16, 8, 128, 3072, 151_936]).tied(),
    llm("qwen3-1.7b", 1721, [2048, 28, 16, 8, 128, 6144, 151_936]).tied(),
    llm("qwen3-4b", 4022, [2560, 36, 32, 8, 128, 9728, 151_936]).tied(),
    llm("qwen3-8b", 8191, [4096, 36, 32, 8, 128, 12288, 151_936]),
    llm("qwen3-14b", 14768, [5120, 40, 40, 8, 128, 17408, 151_936]),
    llm("qwen3-32b", 32762, [5120, 64, 64, 8, 128, 25600, 151_936]),
    llm("qwen3-30b-a3b|qwen3-30b", 30532, [2048, 48, 32, 4, 128, 768, 151_936]).experts(128, 8),
    llm("qwen3-235b-a22b|qwen3-235b", 235_094, [4096, 94, 64, 4, 128, 1536, 151_936]).experts(128, 8),
    // DeepSeek-AI 2025 (R1): the distilled models are Qwen 2.5 and Llama 3, the smallest with an output layer of its own.
    llm("deepseek-r1-distill-qwen-1.5b", 1777, [1536, 28, 12, 2, 128, 8960, 151_936]),
    llm("deepseek-r1-distill-qwen-7b", 7616, [3584, 28, 28, 4, 128, 18944, 152_064]),
    llm("deepseek-r1-distill-qwen-14b", 14770, [5120, 48, 40, 8, 128, 13824, 152_064]),
    llm("deepseek-r1-distill-qwen-32b", 32764, [5120, 64, 40, 8, 128, 27648, 152_064]),
    // Jiang et al. 2023 (Mistral) and 2024 (Mixtral); mistral.ai for the later ones.
    llm("mistral-7b|zephyr-7b", 7242, [4096, 32, 32, 8, 128, 14336, 32000]),
    llm("mistral-nemo", 12248, [5120, 40, 32, 8, 128, 14336, 131_072]),
    llm("mistral-small-24b", 23572, [5120, 40, 32, 8, 128, 32768, 131_072]),
    llm("mixtral-8x7b", 46703, [4096, 32, 32, 8, 128, 14336, 32000]).experts(8, 2),
    llm("mixtral-8x22b", 140_621, [6144, 56, 48, 8, 128, 16384, 32768]).experts(8, 2),
    // Gemma Team 2024 (Gemma, Gemma 2) and 2025 (Gemma 3).
    llm("gemma-2b", 2506, [2048, 18, 8, 1, 256, 16384, 256_000]).tied(),
    llm("gemma-7b", 8538, [3072, 28, 16, 16, 256, 24576, 256_000]).tied(),
    llm("gemma-2-2b", 2614, [2304, 26, 8, 4, 256, 9216, 256_000]).tied(),
    llm("gemma-2-9b", 9242, [3584, 42, 16, 8, 256, 14336, 256_000]).tied(),
    llm("gemma-2-27b", 27227, [4608, 46, 32, 16, 128, 36864, 256_000]).tied(),
    llm("gemma-3-1b", 1000, [1152, 26, 4, 1, 256, 6912, 262_144]).tied(),
    llm("gemma-3-4b", 4300, [2560, 34, 8, 4, 256, 10240, 262_208]).tied(),
    llm("gemma-3-12b", 12187, [3840, 48, 16, 8, 256, 15360, 262_208]).tied(),
    llm("gemma-3-27b", 27432, [5376, 62, 32, 16, 128, 21504, 262_208]).tied(),
    // Gunasekar et al. 2023 and Abdin et al. 2024 (Phi).
    gpt("phi-1.5", 1418, 2048, 24, 32, 51200).untied(),
    gpt("phi-2", 2780, 2560, 32, 32, 51200).untied(),
    llm("phi-3-mini|phi-3.5-mini", 3821, [3072, 32, 32, 32, 96, 8192, 32064]),
    llm("phi-3-medium", 13960, [5120, 40, 40, 10, 128, 17920, 32064]),
    llm("phi-4", 14660, [5120, 40, 40, 10, 128, 17920, 100_352]),
    llm("phi-4-mini", 3836, [3072, 32, 24, 8, 128, 8192, 200_064]).tied(),
    // Almazrouei et al. 2023 (Falcon), MosaicML 2023 (MPT), 01.AI 2024 (Yi), OLMo Team 2024, Allal et al. 2025 (SmolLM2).
    llm("falcon-7b", 6922, [4544, 32, 71, 1, 64, 18176, 65024]).plain().tied(),
    llm("falcon-40b", 41303, [8192, 60, 128, 8, 64, 32768, 65024]).plain().tied(),
    gpt("mpt-7b", 6649, 4096, 32, 32, 50432),
    gpt("mpt-30b", 29958, 7168, 48, 64, 50432),
    llm("yi-6b|yi-1.5-6b", 6061, [4096, 32, 32, 4, 128, 11008, 64000]),
    llm("yi-34b|yi-1.5-34b", 34389, [7168, 60, 56, 8, 128, 20480, 64000]),
    llm("olmo-2-7b|olmo-2-1124-7b", 7299, [4096, 32, 32, 32, 128, 11008, 100_352]),
    llm("olmo-2-13b|olmo-2-1124-13b", 13716, [5120, 40, 40, 40, 128, 13824, 100_352]),
    llm("smollm2-135m|smollm-135m", 135, [576, 30, 9, 3, 64, 1536, 49152]).tied(),
    llm("smollm2-360m|smollm-360m", 362, [960, 32, 15, 5, 64, 2560, 49152]).tied(),
    llm("smollm2-1.7b|smollm-1.7b", 1711, [2048, 24, 32, 32, 64, 8192, 49152]).tied(),
    // OpenAI 2025 (gpt-oss).
    llm("gpt-oss-20b", 20915, [2880, 24, 64, 8, 64, 2880, 201_088]).experts(32, 4),
    llm("gpt-oss-120b", 116_829, [2880, 36, 64, 8, 64, 2880, 201_088]).experts(128, 4),
    // Radford et al. 2019 (GPT-2), Sanh et al. 2019 (DistilGPT-2).
    gpt("gpt2|gpt2-small", 124, 768, 12, 12, 50257).sequence(1024),
    gpt("gpt2-medium", 355, 1024, 24, 16, 50257).sequence(1024),
    gpt("gpt2-large", 774, 1280, 36, 20, 50257).sequence(1024),
    gpt("gpt2-xl", 1558, 1600, 48, 25, 50257).sequence(1024),
    gpt("distilgpt2", 82, 768, 6, 12, 50257).sequence(1024),
    // Black et al. 2021 and 2022 (GPT-Neo, GPT-NeoX), Wang 2021 (GPT-J), Biderman et al. 2023 (Pythia).
    gpt("gpt-neo-125m", 125, 768, 12, 12, 50257),
    gpt("gpt-neo-1.3b", 1316, 2048, 24, 16, 50257),
    gpt("gpt-neo-2.7b", 2651, 2560, 32, 20, 50257),
    gpt("gpt-j-6b|gpt-j", 6053, 4096, 28, 16, 50400).untied(),
    gpt("gpt-neox-20b", 20555, 6144, 44, 64, 50432).untied(),
    gpt("pythia-70m", 70, 512, 6, 8, 50304).untied(),
    gpt("pythia-160m", 162, 768, 12, 12, 50304).untied(),
    gpt("pythia-410m", 405, 1024, 24, 16, 50304).untied(),
    gpt("pythia-1b", 1012, 2048, 16, 8, 50304).untied(),
    gpt("pythia-1.4b", 1415, 2048, 24, 16, 50304).untied(),
    gpt("pythia-2.8b", 2775, 2560, 32, 32, 50304).untied(),
    gpt("pythia-6.9b", 6857, 4096, 32, 32, 50432).untied(),
    gpt("pythia-12b", 11846, 5120, 36, 40, 50688).untied(),
    // Zhang et al. 2022 (OPT), BigScience 2022 (BLOOM).
    gpt("opt-125m", 125, 768, 12, 12, 50272),
    gpt("opt-350m", 331, 1024, 24, 16, 50272),
    gpt("opt-1.3b", 1316, 2048, 24, 32, 50272),
    gpt("opt-2.7b", 2652, 2560, 32, 32, 50272),
    gpt("opt-6.7b", 6658, 4096, 32, 32, 50272),
    gpt("opt-13b", 12853, 5120, 40, 40, 50272),
    gpt("opt-30b", 29975, 7168, 48, 56, 50272),
    gpt("opt-66b", 65718, 9216, 64, 72, 50272),
    gpt("bloom-560m|bloomz-560m", 559, 1024, 24, 16, 250_880),
    gpt("bloom-1b1|bloomz-1b1", 1065, 1536, 24, 16, 250_880),
    gpt("bloom-1b7|bloomz-1b7", 1722, 2048, 24, 16, 250_880),
    gpt("bloom-3b|bloomz-3b", 3003, 2560, 30, 32, 250_880),
    gpt("bloom-7b1|bloomz-7b1", 7069, 4096, 30, 32, 250_880),
    gpt("bloom-176b|bloomz-176b", 176_247, 14336, 70, 112, 250_880),
    // Lozhkov et al. 2024 (StarCoder 2).
    llm("starcoder2-3b", 3030, [3072, 30, 24, 2, 128, 12288, 49152]).plain().tied(),
    llm("starcoder2-7b", 7174, [4608, 32, 36, 4, 128, 18432, 49152]).plain().tied(),
    llm("starcoder2-15b", 15958, [6144, 40, 48, 4, 128, 24576, 49152]).plain(),
    // Raffel et al. 2020 (T5), Chung et al. 2022 (FLAN-T5, with the gated layers of T5 1.1).
    pair("t5-small", 61, 6, [512, 8, 64, 2048, 32128]).plain().tied(),
    pair("t5-base", 223, 12, [768, 12, 64, 3072, 32128]).plain().tied(),
    pair("t5-large", 738, 24, [1024, 16, 64, 4096, 32128]).plain().tied(),
    pair("t5-3b", 2852, 24, [1024, 32, 128, 16384, 32128]).plain().tied(),
    pair("t5-11b", 11307, 24, [1024, 128, 128, 65536, 32128]).plain().tied(),
    pair("flan-t5-small", 77, 8, [512, 6, 64, 1024, 32128]),
    pair("flan-t5-base", 248, 12, [768, 12, 64, 2048, 32128]),
    pair("flan-t5-large", 783, 24, [1024, 16, 64, 2816, 32128]),
    pair("flan-t5-xl", 2850, 24, [2048, 32, 64, 5120, 32128]),
    pair("flan-t5-xxl", 11135, 24, [4096, 64, 64, 10240, 32128]),
    // Devlin et al. 2019 (BERT), Liu et al. 2019 (RoBERTa), Sanh et al. 2019 (DistilBERT), Conneau et al. 2020 (XLM-R),
    // He et al. 2021 (DeBERTa v3), Warner et al. 2024 (ModernBERT).
    bert("bert-base", 110, 768, 12, 12, 30522),
    bert("bert-large", 335, 1024, 24, 16, 30522),
    bert("distilbert-base|distilbert", 66, 768, 6, 12, 30522),
    bert("roberta-base", 125, 768, 12, 12, 50265),
    bert("roberta-large", 355, 1024, 24, 16, 50265),
    bert("distilroberta-base", 82, 768, 6, 12, 50265),
    bert("xlm-roberta-base", 278, 768, 12, 12, 250_002),
    bert("xlm-roberta-large", 560, 1024, 24, 16, 250_002),
    bert("deberta-v3-base", 184, 768, 12, 12, 128_100),
    bert("deberta-v3-large", 435, 1024, 24, 16, 128_100),
    llm("modernbert-base", 149, [768, 22, 12, 12, 64, 1152, 50368]).tied().kind(Kind::Encoder),
    llm("modernbert-large", 395, [1024, 28, 16, 16, 64, 2624, 50368]).tied().kind(Kind::Encoder),
    // Dosovitskiy et al. 2021 (ViT), Radford et al. 2023 (Whisper).
    vit("vit-small", 22, 384, 12, 6, 197),
    vit("vit-base", 86, 768, 12, 12, 197),
    vit("vit-large", 304, 1024, 24, 16, 197),
    vit("vit-huge", 632, 1280, 32, 16, 257),
    whisper("whisper-tiny", 38, 384, 4, 4),
    whisper("whisper-base", 73, 512, 6, 6),
    whisper("whisper-small", 242, 768, 12, 12),
    whisper("whisper-medium", 764, 1024, 24, 24),
    whisper("whisper-large|whisper-large-v2|whisper-large-v3", 1543, 1280, 32, 32),
    whisper("whisper-large-v3-turbo|whisper-turbo", 809, 1280, 32, 4),
];
