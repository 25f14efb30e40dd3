//! What the options of a training say together, and what they may not say.

use super::*;
use serde_json::{Value, json};

fn told(given: Value) -> (Trained, Vec<String>, String) {
    let options: TuneOptions = serde_json::from_value(given).unwrap();
    let mut problems = Problems::default();
    let trained = options.trained(&mut problems);
    let tuning = options.tuning(Data::Dir("/d".into()), trained, &mut problems);
    let wrong = problems.settle("fine_tune").map_err(|error| error.answered);
    (trained, tuning.args(), wrong.err().unwrap_or_default())
}

#[test]
fn methods_and_switches_say_one_thing() {
    let of = |given: Value| {
        let (trained, args, wrong) = told(given);
        let has = |arg: &str| args.iter().any(|one| one == arg);
        assert_eq!(trained.quantised, has("model.quantize_base=True"));
        assert_eq!(trained.dora, has("model.use_dora=True"));
        assert_eq!(
            trained.lora,
            args.iter().any(|arg| arg.starts_with("model.lora_attn_modules=["))
        );
        (trained.method().as_str(), wrong)
    };
    for (given, method) in [
        (json!({}), "lora"),
        (json!({"peft_method": "lora"}), "lora"),
        (json!({"quantize_base": true}), "qlora"),
        (json!({"peft_method": "lora", "quantize_base": true}), "qlora"),
        (json!({"peft_method": "qlora"}), "qlora"),
        (json!({"use_dora": true}), "dora"),
        (json!({"peft_method": "dora", "quantize_base": false}), "dora"),
        (json!({"peft_method": "dora", "quantize_base": true}), "qlora"),
        (json!({"peft_method": "full"}), "full"),
        (
            json!({"peft_method": "full", "lora_rank": 8, "use_dora": false, "lora_attn_modules": []}),
            "full",
        ),
    ] {
        assert_eq!(of(given.clone()), (method, String::new()), "{given}");
    }
}

#[test]
fn contradictions_are_told_by_their_field() {
    for (given, field) in [
        (json!({"peft_method": "qlora", "quantize_base": false}), "quantize_base"),
        (json!({"peft_method": "dora", "use_dora": false}), "use_dora"),
        (json!({"peft_method": "full", "quantize_base": true}), "quantize_base"),
        (json!({"peft_method": "full", "lora_rank": 16}), "lora_rank"),
        (
            json!({"peft_method": "full", "lora_attn_modules": ["q_proj"]}),
            "lora_attn_modules",
        ),
        (json!({"lora_attn_modules": ["mlp"]}), "lora_attn_modules"),
        (json!({"lora_dropout": 1.0}), "lora_dropout"),
        (json!({"batch_size": 0}), "batch_size"),
        (json!({"epochs": 0}), "epochs"),
        (json!({"dtype": "fp16"}), "dtype"),
        (json!({"loss": "mse"}), "loss"),
        (json!({"dataset_source": "tsv"}), "dataset_source"),
        (json!({"dataset_split": "train $(x)"}), "dataset_split"),
        (json!({"dataset_system_prompt": "a\0"}), "dataset_system_prompt"),
        (json!({"dataset_column_map": {"input": "q"}}), "dataset_column_map"),
        (
            json!({"dataset_column_map": {"instruction": "q", "response": "a"}}),
            "dataset_column_map",
        ),
        (
            json!({"dataset_column_map": {"input": "q", "output": "a", "text": "t"}}),
            "dataset_column_map.text",
        ),
    ] {
        let (_, _, wrong) = told(given.clone());
        assert!(wrong.starts_with(&format!("`{field}` ")), "{given}: {wrong}");
    }
}

#[test]
fn what_is_given_is_passed_on() {
    let (_, args, wrong) = told(json!({
        "batch_size": 2, "epochs": 3, "dtype": "BF16", "loss": "CEWithChunkedOutputLoss", "lora_rank": 16, "lora_alpha": 32,
        "lora_dropout": 0.05, "apply_lora_to_mlp": true, "apply_lora_to_output": false, "lora_attn_modules": ["q_proj", "k_proj"],
        "dataset_source": "JSON", "dataset_split": "train[:95%]", "dataset_train_on_input": false,
        "dataset_system_prompt": "You: help", "dataset_column_map": {"input": "q", "output": "a"},
    }));
    assert_eq!(wrong, "");
    assert_eq!(
        args,
        [
            "dtype=bf16",
            "batch_size=2",
            "epochs=3",
            "loss=torchtune.modules.loss.CEWithChunkedOutputLoss",
            "dataset.data_dir=/d",
            "model.apply_lora_to_mlp=True",
            "model.apply_lora_to_output=False",
            "model.lora_rank=16",
            "model.lora_alpha=32",
            "model.lora_dropout=0.05",
            "model.lora_attn_modules=[q_proj,k_proj]",
            "dataset=torchtune.datasets.instruct_dataset",
            "dataset.source=json",
            "dataset.split=train[:95%]",
            "dataset.train_on_input=False",
            "dataset.new_system_prompt=\"You: help\"",
            "dataset.column_map={'input': 'q', 'output': 'a'}",
        ]
    );
}
