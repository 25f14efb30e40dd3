//! What a call answers: JSON for programs, text for people and models. Each must suffice alone.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::{ErrorCode, ToolError};
use crate::text::Text;

/// The largest text of an answer, in bytes. Tools bound themselves with `limit` and `tail_lines`; this is the last wall.
pub const MAX_TEXT: usize = 256 << 10;

/// How an output reads as text.
pub trait Render {
    /// Writes the text. The default of a type without better words is its JSON on one line ([`render_json`]).
    fn render(&self, text: &mut Text);

    /// Pictures that go with the text. They add to the answer and are never all of it: text and JSON suffice without.
    fn images(&self) -> Vec<Image> {
        Vec::new()
    }
}

/// A picture of an answer.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    /// Its media type.
    pub mime: &'static str,
    /// The file, as it is on a disk.
    pub data: Vec<u8>,
}

impl Image {
    /// A PNG file.
    pub fn png(data: Vec<u8>) -> Self {
        Self {
            mime: "image/png",
            data,
        }
    }
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Image({}, {} bytes)", self.mime, self.data.len())
    }
}

/// The text of an output that has no better words: compact JSON.
pub fn render_json<T: Serialize>(value: &T, text: &mut Text) {
    match serde_json::to_string(value) {
        Ok(json) => text.line(json),
        Err(error) => text.line(format!("(not printable: {error})")),
    }
}

/// The answer to one call.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The JSON, always an object.
    pub structured: Value,
    /// The text.
    pub text: String,
    /// Pictures, after the text.
    pub images: Vec<Image>,
    /// Whether the call failed.
    pub is_error: bool,
    /// What the person has to be asked before the call goes on. Until then nothing has changed, as the text says.
    pub question: Option<Question>,
}

/// What a person is asked before a change is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What would happen, in words: without control characters, and bounded.
    pub message: String,
    /// The plan that the answer is about.
    pub plan_id: String,
}

impl Answer {
    /// The answer of a successful call. `now` is what ages in the text count from.
    pub fn of<T: Serialize + Render>(output: &T, now: Timestamp) -> Result<Self, ToolError> {
        let structured = serde_json::to_value(output)
            .map_err(|error| ToolError::new(ErrorCode::Internal, "write the answer", error.to_string()))?;
        let mut text = Text::new(now);
        output.render(&mut text);
        Ok(Self {
            structured: without_nulls(structured),
            text: bounded(text.finish()),
            images: output.images(),
            is_error: false,
            question: None,
        })
    }

    /// The answer of a failed call.
    pub fn error(error: &ToolError) -> Self {
        Self {
            structured: json!({"error": error}),
            text: error.to_string(),
            images: Vec::new(),
            is_error: true,
            question: None,
        }
    }
}

fn bounded(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        let mut at = MAX_TEXT;
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        text.truncate(at);
        text.push_str("\n… (cut: ask for less with `limit`)");
    }
    text
}

/// Absent is the only spelling of "not there".
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter()
                .filter(|(_, v)| !v.is_null())
                .map(|(k, v)| (k, without_nulls(v)))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Output {
        name: Option<String>,
        parts: Vec<Value>,
    }

    impl Render for Output {
        fn render(&self, text: &mut Text) {
            render_json(self, text);
        }
    }

    #[test]
    fn pictures_are_beside_the_text_and_not_in_the_json() {
        #[derive(Serialize)]
        struct Chart;
        impl Render for Chart {
            fn render(&self, text: &mut Text) {
                text.line("a line that rises");
            }
            fn images(&self) -> Vec<Image> {
                vec![Image::png(vec![1, 2, 3])]
            }
        }
        let answer = Answer::of(&Chart, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(format!("{:?}", answer.images), "[Image(image/png, 3 bytes)]");
        assert_eq!(
            (answer.text.as_str(), answer.structured),
            ("a line that rises", Value::Null)
        );
    }

    #[test]
    fn answers_have_no_nulls_and_errors_have_a_code() {
        let answer = Answer::of(
            &Output {
                name: None,
                parts: vec![json!({"a": null, "b": 1})],
            },
            Timestamp::UNIX_EPOCH,
        );
        assert_eq!(answer.unwrap().structured, json!({"parts": [{"b": 1}]}));
        let error = ToolError::argument("limit", "must be at least 1").tool("list_training_jobs");
        assert_eq!(Answer::error(&error).structured["error"]["code"], "invalid_argument");
    }
}
