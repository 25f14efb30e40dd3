//! What a job of `run_custom_training` carries, read back the way its pods read it.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde_json::Value;

/// The document in the arguments of a container: script, entry point, packages. None when they hold no script.
#[must_use]
pub fn carried(args: &Value) -> Option<Value> {
    let mut words = args.as_array()?.iter().filter_map(Value::as_str);
    (words.next() == Some("--kubeflow-mcp-script")).then_some(())?;
    let zipped = STANDARD.decode(words.collect::<String>()).ok()?;
    let mut text = String::new();
    GzDecoder::new(zipped.as_slice()).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}
