//! What the authors of a model published about it at the Hub: the count of its parameters and its `config.json`. Pure; whatever
//! is out of range or missing is not known.

use serde_json::Value;

use super::model::{Dims, Kind};

/// What the authors of a model say of it, as far as it could be read.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Published {
    /// Parameters in all.
    pub(crate) params: Option<f64>,
    /// The dimensions.
    pub(crate) dims: Option<Dims>,
}

/// The count in the Hub's answer about a model: `safetensors.total`. Weights that are packed to 4 bits count less than they are.
pub(crate) fn params(answer: &Value) -> Option<f64> {
    let total = answer.pointer("/safetensors/total")?.as_f64()?;
    (1e6..=1e14).contains(&total).then_some(total)
}

/// The dimensions in a `config.json`. What it leaves open (whether the feed-forward layer has a gate, whether the output layer
/// is the embedding) is as comes nearest to the count of parameters.
pub(crate) fn dims(config: &Value, params: Option<f64>) -> Option<Dims> {
    // Models that read more than text have the language model's dimensions below.
    let config = ["text_config", "llm_config"]
        .into_iter()
        .filter(|_| config.get("hidden_size").is_none())
        .find_map(|inner| config.get(inner).filter(|inner| inner.is_object()))
        .unwrap_or(config);
    let number = |names: &[&str], least: u64, most: u64| number(config, names, least, most);
    let hidden = number(&["hidden_size", "n_embd", "d_model", "dim"], 16, 1_000_000)?;
    let paired = config["is_encoder_decoder"] == true;
    let count = |names: &[&str]| number(names, 1, 10_000);
    let layers = count(&[
        "num_hidden_layers",
        "n_layer",
        "n_layers",
        "num_layers",
        "encoder_layers",
    ])?;
    let cross = if paired {
        count(&["num_decoder_layers", "decoder_layers"]).unwrap_or(layers)
    } else {
        0
    };
    let encoder = count(&["encoder_layers", "num_layers"])
        .filter(|_| paired)
        .unwrap_or(layers);
    let heads = count(&[
        "num_attention_heads",
        "n_head",
        "n_heads",
        "num_heads",
        "encoder_attention_heads",
    ])
    .unwrap_or((hidden / 128).max(1));
    let alone = config["multi_query"] == true && config["new_decoder_architecture"] != true;
    let few = count(&["num_key_value_heads", "num_kv_heads"]).filter(|_| !alone);
    let experts = number(&["num_local_experts", "num_experts", "n_routed_experts"], 2, 4096).unwrap_or(1);
    let wide = number(&["moe_intermediate_size"], 16, 10_000_000).filter(|_| experts > 1);
    let dims = Dims {
        kind: kind(config, paired),
        hidden,
        layers: if paired { encoder + cross } else { layers },
        heads,
        kv_heads: few.unwrap_or(if alone { 1 } else { heads }),
        head_dim: number(&["head_dim", "d_kv"], 1, 65_536).unwrap_or((hidden / heads).max(1)),
        intermediate: wide
            .or_else(|| {
                number(
                    &[
                        "intermediate_size",
                        "n_inner",
                        "ffn_dim",
                        "ffn_hidden_size",
                        "d_ff",
                        "encoder_ffn_dim",
                    ],
                    16,
                    10_000_000,
                )
            })
            .unwrap_or(hidden.saturating_mul(4)),
        vocab: number(&["vocab_size"], 1, 10_000_000).unwrap_or(0),
        gated: is_gated(config),
        tied: config["tie_word_embeddings"].as_bool().unwrap_or(true),
        experts,
        active_experts: count(&["num_experts_per_tok", "num_experts_per_token"])
            .map_or(experts.min(2), |active| active.min(experts)),
        cross_layers: cross,
    };
    Some(params.map_or(dims, |params| nearest(dims, config, params)))
}

/// The first of these fields that holds a number within bounds.
fn number(config: &Value, names: &[&str], least: u64, most: u64) -> Option<u32> {
    let found = names.iter().filter_map(|name| config.get(name)?.as_u64());
    let mut good = found.filter(|number| (least..=most).contains(number));
    good.next().and_then(|number| u32::try_from(number).ok())
}

fn kind(config: &Value, paired: bool) -> Kind {
    let named = |part: &str| {
        let names = config["architectures"].as_array().into_iter().flatten();
        names.filter_map(Value::as_str).any(|name| name.contains(part))
    };
    if paired {
        Kind::EncoderDecoder
    } else if config.get("vocab_size").is_none() && config.get("image_size").is_some() {
        Kind::Vision
    } else if ["MaskedLM", "SequenceClassification", "TokenClassification", "BertModel"]
        .into_iter()
        .any(named)
    {
        Kind::Encoder
    } else {
        Kind::Decoder
    }
}

/// Whether the activation is one that comes with a gate.
fn is_gated(config: &Value) -> bool {
    let names = [
        "hidden_act",
        "hidden_activation",
        "feed_forward_proj",
        "activation_function",
    ];
    let mut told = names.into_iter().filter_map(|name| config.get(name)?.as_str());
    told.any(|act| act.contains("silu") || act.contains("swi") || act.contains("gated"))
}

/// Among what the configuration leaves open, that with which the dimensions give most nearly so many parameters.
fn nearest(dims: Dims, config: &Value, params: f64) -> Dims {
    let open = config.get("tie_word_embeddings").is_none();
    let ties = if open {
        vec![dims.tied, !dims.tied]
    } else {
        vec![dims.tied]
    };
    let all = ties
        .into_iter()
        .flat_map(|tied| [dims.gated, !dims.gated].map(|gated| Dims { gated, tied, ..dims }));
    let off = |dims: &Dims| (dims.params() / params).ln().abs();
    all.min_by(|a, b| off(a).total_cmp(&off(b))).unwrap_or(dims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Against published configurations: the dimensions give the published count within 3 %.
    #[test]
    fn configurations_of_each_family_give_the_published_count() {
        let llama = json!({"architectures": ["LlamaForCausalLM"], "hidden_act": "silu", "hidden_size": 4096,
            "intermediate_size": 14336, "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8,
            "tie_word_embeddings": false, "vocab_size": 128256});
        let gpt2 = json!({"architectures": ["GPT2LMHeadModel"], "activation_function": "gelu_new", "n_embd": 768, "n_head": 12,
            "n_layer": 12, "vocab_size": 50257});
        let gemma = json!({"architectures": ["GemmaForCausalLM"], "hidden_act": "gelu", "hidden_size": 2048, "head_dim": 256,
            "intermediate_size": 16384, "num_attention_heads": 8, "num_hidden_layers": 18, "num_key_value_heads": 1,
            "vocab_size": 256_000});
        let mixtral = json!({"architectures": ["MixtralForCausalLM"], "hidden_act": "silu", "hidden_size": 4096,
            "intermediate_size": 14336, "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8,
            "num_local_experts": 8, "num_experts_per_tok": 2, "tie_word_embeddings": false, "vocab_size": 32000});
        let t5 = json!({"architectures": ["T5ForConditionalGeneration"], "is_encoder_decoder": true, "d_model": 768, "d_kv": 64,
            "d_ff": 3072, "num_heads": 12, "num_layers": 12, "num_decoder_layers": 12, "vocab_size": 32128,
            "feed_forward_proj": "relu"});
        for (config, params, kind) in [
            (llama, 8.03e9, Kind::Decoder),
            (gpt2, 124.4e6, Kind::Decoder),
            (gemma, 2.506e9, Kind::Decoder),
            (mixtral, 46.7e9, Kind::Decoder),
            (t5, 222.9e6, Kind::EncoderDecoder),
        ] {
            let dims = dims(&config, Some(params)).unwrap();
            let off = (dims.params() / params - 1.0).abs();
            assert!(off < 0.03, "{off}: {config}");
            assert_eq!(dims.kind, kind, "{config}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_not_known() {
        let usual = json!({"hidden_size": 4096, "num_hidden_layers": 32});
        assert_eq!(dims(&usual, None).unwrap().heads, 32);
        let inner = json!({"text_config": usual, "vision_config": {"hidden_size": 1024}});
        assert_eq!(dims(&inner, None).unwrap().hidden, 4096);
        for odd in [
            json!(null),
            json!([]),
            json!({"hidden_size": "4096", "num_hidden_layers": 32}),
            json!({"hidden_size": 4096}),
            json!({"hidden_size": 4_000_000_000_u64, "num_hidden_layers": 32}),
            json!({"hidden_size": -1, "num_hidden_layers": 32}),
        ] {
            assert_eq!(dims(&odd, Some(7e9)), None, "{odd}");
        }
        let extreme = json!({"hidden_size": 1_000_000, "num_hidden_layers": 10_000, "num_attention_heads": 10_000,
            "is_encoder_decoder": true, "num_decoder_layers": 10_000, "num_local_experts": 4096});
        assert!(dims(&extreme, Some(1e6)).unwrap().params().is_finite());
        assert_eq!(
            params(&json!({"safetensors": {"total": 8_030_261_248_u64}})),
            Some(8_030_261_248.0)
        );
        for odd in [
            json!({}),
            json!({"safetensors": {"total": 0}}),
            json!({"safetensors": {"total": "8"}}),
        ] {
            assert_eq!(params(&odd), None, "{odd}");
        }
    }
}
