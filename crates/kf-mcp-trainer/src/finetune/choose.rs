//! Which runtime fine-tunes a model, when the caller does not say.

use kf_mcp_core::{ErrorCode, ToolError};
use kf_mcp_trainjob::Runtime;
use kf_mcp_trainjob::torchtune::{DATASET_STEP, MODEL_STEP, Source, TuneModel};

use super::fetch::storage_uri;
use crate::pods::outside;
use crate::runtimes::Listed;

/// How many runtimes an error tells.
const MOST: usize = 20;

/// The one runtime for a model among those that were seen. Where none is for it, and some could not be seen, that is why.
pub(crate) fn chosen(model: &Source, listed: Listed) -> Result<Runtime, ToolError> {
    let Listed { all, refused, .. } = listed;
    choose(model, all).map_err(|error| match refused {
        Some(refused) if error.code == ErrorCode::Unsupported && refused.is_forbidden() => {
            let refused = ToolError::from(refused);
            let answered = format!("{}; not all could be seen: {}", error.answered, refused.answered);
            ToolError::new(refused.code, error.asked, answered)
                .fix(format!("name the runtime in `runtime`, or {}", refused.fix))
                .tool("list_runtimes")
        }
        _ => error,
    })
}

/// The one runtime for a model among all that there are. The namespace's own come first and hide the cluster's of their name.
pub(crate) fn choose(model: &Source, all: Vec<Runtime>) -> Result<Runtime, ToolError> {
    let mut known: Vec<(Runtime, TuneModel)> = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    for runtime in all {
        if seen.contains(&runtime.name) {
            continue;
        }
        seen.push(runtime.name.clone());
        if let Some(tunes) = TuneModel::of_runtime(&runtime.name).filter(|_| runtime.is_torchtune()) {
            known.push((runtime, tunes));
        }
    }
    let names: Vec<String> = known
        .iter()
        .map(|(runtime, tunes)| format!("{} ({})", runtime.name, tunes.words()))
        .collect();
    let mut fitting: Vec<Runtime> = known
        .into_iter()
        .filter(|(runtime, tunes)| is_for(model, runtime, *tunes))
        .map(|(runtime, _)| runtime)
        .collect();
    if fitting.iter().any(|runtime| !runtime.deprecated) {
        fitting.retain(|runtime| !runtime.deprecated);
    }
    match (fitting.len(), fitting.pop()) {
        (1, Some(runtime)) => Ok(runtime),
        (0, _) => Err(nothing(model, &names)),
        (_, last) => {
            fitting.extend(last);
            let names: Vec<&str> = fitting.iter().map(|runtime| runtime.name.as_str()).collect();
            let mut error = ToolError::new(
                ErrorCode::InvalidArgument,
                format!("choose a runtime for {}", shown(model)),
                format!("several runtimes fit: {}", told(&names)),
            )
            .fix("name one of them in `runtime`")
            .tool("get_runtime");
            error.field = Some("runtime".into());
            Err(error)
        }
    }
}

/// Whether the model is the runtime's own, or its name says that it is one of this kind.
fn is_for(model: &Source, runtime: &Runtime, tunes: TuneModel) -> bool {
    let own = storage_uri(runtime, MODEL_STEP).and_then(|uri| Source::model(uri).ok());
    own.as_ref() == Some(model) || tunes.is_named(model.name())
}

/// No runtime is for this model: with those there are, as name and model.
fn nothing(model: &Source, names: &[String]) -> ToolError {
    let asked = format!("choose a runtime for {}", shown(model));
    if names.is_empty() {
        let answered = "there is no runtime for fine-tuning: none that Trainer knows has the framework torchtune";
        return ToolError::new(ErrorCode::Unsupported, asked, answered)
            .fix("ask the platform team for Trainer's torchtune runtimes, or train with a script or an image")
            .tool("list_runtimes");
    }
    let supported: Vec<String> = TuneModel::all().map(TuneModel::words).collect();
    let answered = format!(
        "its name tells no model that a runtime here fine-tunes: {}. Trainer knows {}",
        told(names),
        supported.join(", ")
    );
    let mut error = ToolError::new(ErrorCode::Unsupported, asked, answered)
        .fix("if it is one of these models under another name, name the runtime in `runtime`; train others with a script or an image")
        .tool("list_runtimes");
    error.field = Some("model".into());
    error
}

/// The model that a runtime fine-tunes, or why it does not.
pub(crate) fn usable(runtime: &Runtime) -> Result<TuneModel, ToolError> {
    let refused = |why: String| {
        let mut error = ToolError::new(
            ErrorCode::Unsupported,
            format!("fine-tune on the runtime `{}`", outside(&runtime.name)),
            why,
        )
        .fix("leave `runtime` out to have one chosen by the model; list_runtimes shows what there is")
        .tool("list_runtimes");
        error.field = Some("runtime".into());
        error
    };
    if !runtime.is_torchtune() {
        let framework = if runtime.framework.is_empty() {
            "none".to_owned()
        } else {
            outside(&runtime.framework)
        };
        return Err(refused(format!("its framework is {framework} and not torchtune")));
    }
    let Some(model) = TuneModel::of_runtime(&runtime.name) else {
        let names: Vec<String> = TuneModel::all().map(|model| model.words().replace(' ', "-")).collect();
        return Err(refused(format!(
            "Trainer reads the model from the runtime's name, torchtune-FAMILY-SIZE, and knows {}",
            names.join(", ")
        )));
    };
    for step in [DATASET_STEP, MODEL_STEP] {
        if !runtime
            .initializers()
            .any(|part| part.name == step && part.step == step)
        {
            return Err(refused(format!("it has no part {step} that would fetch the files")));
        }
    }
    if runtime.node().is_none_or(|node| node.name != "node") {
        return Err(refused("it has no training container called `node`".into()));
    }
    Ok(model)
}

fn shown(model: &Source) -> String {
    let uri = model.uri().unwrap_or_else(|| format!("pvc://…/{}", model.name()));
    format!("the model {uri}")
}

fn told(names: &[impl AsRef<str>]) -> String {
    let mut told: Vec<String> = names.iter().take(MOST).map(|name| outside(name.as_ref())).collect();
    if let Some(more) = names.len().checked_sub(MOST).filter(|more| *more > 0) {
        told.push(format!("and {more} more"));
    }
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use kf_mcp_trainjob::RuntimeScope;
    use serde_json::json;

    fn runtime(name: &str, framework: &str, model: &str) -> Runtime {
        let part = |name: &str, container: &str, uri: &str| {
            json!({"name": name, "template": {"metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": name}},
                "spec": {"template": {"spec": {"containers": [{"name": container, "env": [{"name": "STORAGE_URI", "value": uri}]}]}}}}})
        };
        let parts = [
            part(DATASET_STEP, DATASET_STEP, "hf://a/b"),
            part(MODEL_STEP, MODEL_STEP, model),
            part("node", "node", ""),
        ];
        let value = json!({"metadata": {"name": name, "labels": {"trainer.kubeflow.org/framework": framework}},
            "spec": {"template": {"spec": {"replicatedJobs": parts}}}});
        Runtime::from_value(&value, RuntimeScope::Cluster)
    }

    fn shipped() -> Vec<Runtime> {
        vec![
            runtime("torch-distributed", "torch", ""),
            runtime(
                "torchtune-llama3.2-1b",
                "torchtune",
                "hf://meta-llama/Llama-3.2-1B-Instruct",
            ),
            runtime(
                "torchtune-llama3.2-3b",
                "torchtune",
                "hf://meta-llama/Llama-3.2-3B-Instruct",
            ),
            runtime("torchtune-qwen2.5-1.5b", "torchtune", "hf://Qwen/Qwen2.5-1.5B-Instruct"),
        ]
    }

    fn chosen(model: &str, all: Vec<Runtime>) -> Result<String, String> {
        choose(&Source::model(model).unwrap(), all)
            .map(|runtime| runtime.name)
            .map_err(|error| error.answered)
    }

    #[test]
    fn the_model_chooses_its_runtime() {
        for (model, name) in [
            ("Qwen/Qwen2.5-1.5B-Instruct", "torchtune-qwen2.5-1.5b"),
            ("hf://unsloth/Llama-3.2-3B", "torchtune-llama3.2-3b"),
            ("s3://models/llama-3.2-1b/final", "torchtune-llama3.2-1b"),
            ("pvc://weights/llama-3.2-1b", "torchtune-llama3.2-1b"),
        ] {
            assert_eq!(chosen(model, shipped()).as_deref(), Ok(name));
        }
        let mine = runtime("mine-llama3.2-1b", "torchtune", "hf://team/final");
        assert_eq!(chosen("team/final", vec![mine]).as_deref(), Ok("mine-llama3.2-1b"));
    }

    #[test]
    fn without_one_match_the_error_names_what_there_is() {
        let none = chosen("mistralai/Mistral-7B-v0.3", shipped()).unwrap_err();
        assert!(
            none.contains("torchtune-qwen2.5-1.5b (qwen2.5 1.5b)") && none.contains("llama3.3 70b"),
            "{none}"
        );
        let mut two = shipped();
        two.push(runtime("mine-qwen2.5-1.5b", "torchtune", "hf://x/y"));
        let several = chosen("Qwen/Qwen2.5-1.5B", two).unwrap_err();
        assert!(
            several.contains("torchtune-qwen2.5-1.5b, mine-qwen2.5-1.5b"),
            "{several}"
        );
        assert!(
            chosen("Qwen/Qwen2.5-1.5B", Vec::new())
                .unwrap_err()
                .contains("no runtime")
        );
    }

    #[test]
    fn a_runtime_that_is_of_no_use_says_why() {
        let why = |runtime: &Runtime| usable(runtime).map(TuneModel::config).map_err(|error| error.answered);
        assert_eq!(why(&shipped()[1]), Ok("llama3_2/1B"));
        assert!(why(&shipped()[0]).unwrap_err().contains("is torch and not"));
        assert!(
            why(&runtime("torchtune-copy", "torchtune", ""))
                .unwrap_err()
                .contains("FAMILY-SIZE")
        );
        let mut bare = runtime("torchtune-llama3.2-1b", "torchtune", "");
        bare.replicated_jobs.remove(0);
        assert!(why(&bare).unwrap_err().contains("dataset-initializer"));
    }
}
