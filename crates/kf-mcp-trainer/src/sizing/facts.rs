//! What is known of a model, and from where: the caller first, then the table of families, then the name, then its authors.

use super::families::known;
use super::model::{Dims, Kind, Model, SEQUENCE};
use super::name::{candidates, size};
use super::published::Published;

/// Where facts come from, in the order in which they are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The caller's arguments.
    Caller,
    /// The bundled table.
    Table,
    /// The size in the name.
    Name,
    /// What its authors published at the Hugging Face Hub.
    Hub,
    /// What models of that size usually look like.
    Usual,
}

/// How far the estimate can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Confidence {
    High,
    Medium,
    Low,
}

impl Confidence {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

/// What the caller says of the model.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Given {
    pub(crate) params: Option<u64>,
    pub(crate) hidden: Option<u32>,
    pub(crate) layers: Option<u32>,
}

/// What is known of a model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Facts {
    pub(crate) model: Model,
    /// What the table calls it.
    pub(crate) name: Option<&'static str>,
    /// Where the number of parameters comes from.
    pub(crate) params_from: Source,
    /// Where the dimensions come from.
    pub(crate) dims_from: Source,
}

/// A count may differ so far from the table's, and the model still has the table's dimensions.
const SAME: f64 = 1.15;

/// What is known of a model with this name; none when neither the caller nor the name tells its size.
pub(crate) fn facts(name: &str, given: &Given) -> Option<Facts> {
    facts_with(name, given, &Published::default())
}

/// What is known of a model with this name, of which its authors published that.
pub(crate) fn facts_with(name: &str, given: &Given, published: &Published) -> Option<Facts> {
    let table = candidates(name).find_map(known);
    let told = candidates(name).find_map(size);
    let alike = |dims: &Dims| {
        let same = |given: Option<u32>, own: u32| given.is_none_or(|given| given == own);
        same(given.hidden, dims.hidden) && same(given.layers, dims.layers)
    };
    let fits = |model: &Model| {
        let near = given.params.is_none_or(|params| {
            let ratio = params as f64 / model.params;
            (1.0 / SAME..=SAME).contains(&ratio)
        });
        near && alike(&model.dims)
    };
    if let Some(known) = table.filter(|known| fits(&known.model)) {
        let mut model = known.model;
        let params_from = match given.params {
            Some(params) => {
                model.params = params as f64;
                Source::Caller
            }
            None => Source::Table,
        };
        return Some(Facts {
            model,
            name: Some(known.name),
            params_from,
            dims_from: Source::Table,
        });
    }
    // The same but for its depth, as pruned and stacked models are.
    let deeper = table.filter(|known| {
        let dims = &known.model.dims;
        let wide = given.hidden.is_none_or(|hidden| hidden == dims.hidden);
        given.params.is_none() && wide && dims.cross_layers == 0
    });
    if let (Some(known), Some(layers)) = (deeper, given.layers) {
        let mut model = known.model;
        model.dims.layers = layers;
        model.params = model.dims.params();
        return Some(Facts {
            model,
            name: Some(known.name),
            params_from: Source::Caller,
            dims_from: Source::Caller,
        });
    }
    let (params, params_from) = match given.params {
        Some(params) => (Some(params as f64), Source::Caller),
        None if told.is_some() => (told.map(|size| size.params), Source::Name),
        None => (published.params, Source::Hub),
    };
    let published = published.dims.filter(alike);
    let (mut dims, dims_from) = match (given.hidden, given.layers, params) {
        _ if published.is_some() => (published?, Source::Hub),
        (Some(hidden), Some(layers), _) => (Dims::usual(hidden, layers), Source::Caller),
        (Some(hidden), None, Some(params)) => {
            let layers = (params / (12.0 * f64::from(hidden).powi(2))).round().max(1.0);
            (Dims::usual(hidden, layers as u32), Source::Caller)
        }
        (None, Some(layers), Some(params)) => {
            let hidden = (params / (12.0 * f64::from(layers.max(1)))).sqrt().max(64.0);
            (Dims::usual(hidden as u32, layers), Source::Caller)
        }
        (None, None, Some(params)) => (Dims::guessed(params), Source::Usual),
        (_, _, None) => return None,
    };
    let experts = told.and_then(|size| size.experts);
    if let Some(experts) = experts.filter(|_| given.params.is_none() && dims_from != Source::Hub) {
        // Dimensions of one expert's model, and two experts for each token, as in Mixtral.
        let one = params.unwrap_or_default() / (0.83 * f64::from(experts));
        if dims_from == Source::Usual {
            dims = Dims::guessed(one);
        }
        (dims.experts, dims.active_experts) = (experts, experts.min(2));
    }
    Some(Facts {
        model: Model {
            params: params.unwrap_or_else(|| dims.params()),
            dims,
            sequence: SEQUENCE,
        },
        name: None,
        // Else the dimensions tell the count.
        params_from: if params.is_some() { params_from } else { dims_from },
        dims_from,
    })
}

impl Facts {
    /// Whether the dimensions are known, and not guessed.
    pub(crate) fn known_dims(&self) -> bool {
        self.dims_from != Source::Usual
    }

    /// How far the estimate can be trusted: decoders of known dimensions are what the formulae are measured on.
    pub(crate) fn confidence(&self) -> Confidence {
        let dims = &self.model.dims;
        match self.dims_from {
            Source::Name | Source::Usual => Confidence::Low,
            Source::Table if dims.kind == Kind::Decoder && dims.experts == 1 => Confidence::High,
            Source::Hub if dims.kind == Kind::Decoder && dims.experts == 1 && self.agrees() => Confidence::High,
            Source::Table | Source::Caller | Source::Hub => Confidence::Medium,
        }
    }

    /// Whether the dimensions give the count of parameters, as they do where both were read right.
    fn agrees(&self) -> bool {
        (self.model.dims.params() / self.model.params - 1.0).abs() < 0.05
    }

    /// The sources, in words.
    pub(crate) fn sources(&self) -> Vec<String> {
        let words = |what: &str, source: Source| match source {
            Source::Caller => format!("{what}: your arguments"),
            Source::Table => format!("{what}: bundled table"),
            Source::Name => format!("{what}: the size in the name"),
            Source::Hub => format!("{what}: Hugging Face Hub"),
            Source::Usual => format!("{what}: guessed, as usual for that size"),
        };
        if self.params_from == self.dims_from {
            return vec![words("parameters and dimensions", self.params_from)];
        }
        vec![
            words("parameters", self.params_from),
            words("dimensions", self.dims_from),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, given: Given) -> Option<(f64, u32, u32, &'static str, String)> {
        facts(name, &given).map(|facts| {
            let dims = facts.model.dims;
            let billions = (facts.model.params / 1e7).round() / 100.0;
            (
                billions,
                dims.hidden,
                dims.layers,
                facts.confidence().as_str(),
                facts.sources().join("; "),
            )
        })
    }

    #[test]
    fn the_caller_goes_before_the_table_and_the_table_before_the_name() {
        let none = Given::default();
        let told = |given| {
            found("meta-llama/Llama-3.1-8B", given)
                .map(|(billions, hidden, layers, confidence, _)| (billions, hidden, layers, confidence))
        };
        assert_eq!(told(none), Some((8.03, 4096, 32, "high")));
        // A pruned one: the caller's dimensions count.
        let pruned = Given {
            hidden: Some(3072),
            layers: Some(32),
            ..none
        };
        assert_eq!(told(pruned), Some((8.0, 3072, 32, "medium")));
        // One of half the depth has about half the parameters, and no size that its name tells.
        let half = Given {
            layers: Some(16),
            ..none
        };
        assert_eq!(told(half), Some((4.54, 4096, 16, "medium")));
        assert_eq!(
            told(Given {
                params: Some(8_100_000_000),
                ..none
            }),
            Some((8.1, 4096, 32, "high"))
        );
        assert_eq!(
            told(Given {
                params: Some(4_000_000_000),
                ..none
            }),
            Some((4.0, 3520, 27, "low"))
        );
    }

    #[test]
    fn what_is_unknown_is_guessed_from_the_name_or_not_at_all() {
        let none = Given::default();
        let (billions, hidden, layers, confidence, sources) = found("acme/foo-13b", none).unwrap();
        assert_eq!((billions, hidden, layers, confidence), (13.0, 5184, 40, "low"));
        assert_eq!(
            sources,
            "parameters: the size in the name; dimensions: guessed, as usual for that size"
        );
        assert_eq!(found("acme/foo", none), None);
        let shape = Given {
            hidden: Some(4096),
            layers: Some(32),
            ..none
        };
        let (billions, .., confidence, sources) = found("acme/foo", shape).unwrap();
        assert_eq!((billions, confidence), (6.97, "medium"));
        assert_eq!(sources, "parameters and dimensions: your arguments");
        // A mixture that the table does not have.
        let mixture = facts("acme-8x3b", &none).unwrap();
        assert_eq!((mixture.model.dims.experts, mixture.model.dims.hidden), (8, 3200));
    }

    #[test]
    fn what_was_published_fills_what_neither_the_caller_nor_the_name_tells() {
        let config = serde_json::json!({"architectures": ["LlamaForCausalLM"], "hidden_act": "silu", "hidden_size": 4096,
            "intermediate_size": 14336, "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8,
            "vocab_size": 128_256});
        let whole = Published {
            params: Some(8.03e9),
            dims: super::super::published::dims(&config, Some(8.03e9)),
        };
        let told = |name: &str, given: Given, published: &Published| {
            facts_with(name, &given, published).map(|facts| {
                let billions = (facts.model.params / 1e7).round() / 100.0;
                (
                    billions,
                    facts.model.dims.hidden,
                    facts.confidence().as_str(),
                    facts.sources().join("; "),
                )
            })
        };
        let none = Given::default();
        let both = "parameters and dimensions: Hugging Face Hub".to_owned();
        assert_eq!(told("acme/foo", none, &whole), Some((8.03, 4096, "high", both.clone())));
        // The name goes before the Hub for what it tells.
        let (billions, hidden, _, sources) = told("acme/foo-8b", none, &whole).unwrap();
        assert_eq!((billions, hidden), (8.0, 4096));
        assert_eq!(
            sources,
            "parameters: the size in the name; dimensions: Hugging Face Hub"
        );
        // The caller goes before all, also where the Hub says otherwise.
        let pruned = Given {
            hidden: Some(3072),
            layers: Some(32),
            params: Some(5_000_000_000),
        };
        let (billions, hidden, _, sources) = told("acme/foo", pruned, &whole).unwrap();
        assert_eq!(
            (billions, hidden, sources.as_str()),
            (5.0, 3072, "parameters and dimensions: your arguments")
        );
        // A model of which the authors tell one of both.
        let count = Published { dims: None, ..whole };
        let (_, hidden, confidence, sources) = told("acme/foo", none, &count).unwrap();
        assert_eq!((hidden, confidence), (4416, "low"));
        assert_eq!(
            sources,
            "parameters: Hugging Face Hub; dimensions: guessed, as usual for that size"
        );
        let shape = Published { params: None, ..whole };
        let (billions, ..) = told("acme/foo", none, &shape).unwrap();
        assert!((7.0..8.1).contains(&billions), "{billions}");
        // And the table needs nobody.
        let (.., sources) = told("gpt2", none, &whole).unwrap();
        assert_eq!(sources, "parameters and dimensions: bundled table");
        assert_eq!(told("acme/foo", none, &Published::default()), None);
    }
}
