//! Asking the person behind a client about a change, in both generations of the protocol.
//!
//! A client of 2026-07-28 is answered with the question and a sealed state, and calls again with the reply and that state: no
//! memory of ours is between the two, so any replica with the same key takes the second call. The state names the plan that
//! was shown, and is bound to caller, tool and arguments. In a session that began with `initialize` the client is asked while
//! its call waits.

use std::time::Duration;

use kf_mcp_core::{Person, Question, Reply};
use rmcp::RoleServer;
use rmcp::model::{
    ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationSchema, ErrorData, InputRequest,
    InputRequiredResult, InputResponses, RequestStateCodec, RequestStateError, SealOptions,
};
use rmcp::service::{RequestContext, ServiceError};
use serde_json::{Map, Value};

use crate::handler::is_modern;

/// How long a sealed state is good for, and how long a session's client is waited for, where nobody says: a person has to
/// read and decide.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);
/// The name of the question, and of its one field.
const CONFIRM: &str = "confirm";
/// The fewest bytes of a key.
pub const MIN_KEY: usize = 32;

/// How the person behind a client can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Not at all.
    None,
    /// By an answer that requires input.
    Again,
    /// By a request within the session.
    Session,
}

impl Way {
    /// The way of the client that made a request.
    pub(crate) fn of(cx: &RequestContext<RoleServer>) -> Self {
        let elicitation = cx.client_capabilities().and_then(|can| can.elicitation);
        // without a mode a form is meant
        let forms = elicitation.is_some_and(|modes| modes.form.is_some() || modes.url.is_none());
        match (forms, is_modern(cx)) {
            (false, _) => Self::None,
            (true, true) => Self::Again,
            (true, false) => Self::Session,
        }
    }

    /// What the engine is told of the person before anything was asked.
    pub(crate) fn person(self) -> Person {
        match self {
            Self::None => Person::Unreachable,
            Self::Again | Self::Session => Person::Reachable,
        }
    }
}

/// Seals what travels with a question.
#[derive(Debug)]
pub(crate) struct Confirmations {
    codec: RequestStateCodec,
    patience: Duration,
}

impl Confirmations {
    /// With the key that all replicas have.
    pub(crate) fn new(key: Vec<u8>, patience: Duration) -> Result<Self, String> {
        match RequestStateCodec::try_new(key) {
            Ok(codec) => Ok(Self { codec, patience }),
            Err(error) => Err(format!("the state key cannot be used: {error}")),
        }
    }

    /// The answer that requires the person's input.
    pub(crate) fn required(&self, question: &Question, bound: &[u8]) -> Result<InputRequiredResult, ErrorData> {
        let options = SealOptions::new().associated_data(bound).ttl(self.patience);
        let state = self.codec.seal_with(question.plan_id.as_bytes(), &options);
        let request = InputRequest::Elicitation(ElicitRequest::new(form(question)?));
        let requests = [(CONFIRM.to_owned(), request)].into();
        Ok(InputRequiredResult::new(Some(requests), Some(state)))
    }

    /// What a repeated call says of the person. A state that is too old, or comes without a reply, is no error: the person is
    /// asked anew. One that was not made for this call is.
    pub(crate) fn person(
        &self,
        state: &str,
        replies: Option<&InputResponses>,
        bound: &[u8],
    ) -> Result<Person, ErrorData> {
        let plan_id = match self.codec.open_with(state, bound) {
            Ok(plan_id) => String::from_utf8_lossy(&plan_id).into_owned(),
            Err(RequestStateError::Expired) => return Ok(Person::Reachable),
            Err(_) => {
                let why =
                    "requestState was not made by this server for this call and these arguments: call again without it";
                return Err(ErrorData::invalid_params(why, None));
            }
        };
        let reply = replies.and_then(|replies| replies.get(CONFIRM));
        let reply = reply.and_then(|reply| serde_json::from_value::<ElicitResult>(reply.clone()).ok());
        Ok(match reply {
            Some(reply) => Person::Said {
                plan_id,
                reply: said(&reply),
            },
            None => Person::Reachable,
        })
    }

    /// Asks within the session, as long as the client does not give the call up.
    pub(crate) async fn ask(&self, question: &Question, cx: &RequestContext<RoleServer>) -> Result<Reply, ErrorData> {
        let asked = cx
            .peer
            .create_elicitation_with_timeout(form(question)?, Some(self.patience));
        let answered = tokio::select! {
            answered = asked => answered,
            () = cx.ct.cancelled() => return Ok(Reply::Dismissed),
        };
        Ok(match answered {
            Ok(reply) => said(&reply),
            Err(ServiceError::Timeout { .. }) => Reply::Silent(self.patience.as_secs()),
            Err(error) => {
                tracing::warn!(%error, "the client could not ask the person");
                Reply::Dismissed
            }
        })
    }
}

/// What a state is bound to: who calls what, with which arguments.
pub(crate) fn bound(caller: &str, tool: &str, arguments: &Map<String, Value>) -> Vec<u8> {
    let mut text = format!("{caller}\n{tool}\n");
    let sorted: std::collections::BTreeMap<&String, &Value> = arguments.iter().collect();
    for (name, value) in sorted {
        write(&Value::String(name.clone()), &mut text);
        write(value, &mut text);
    }
    text.into_bytes()
}

/// JSON with the keys in order, whatever order a client sends them in.
fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(map) => {
            let sorted: std::collections::BTreeMap<&String, &Value> = map.iter().collect();
            text.push('{');
            for (name, value) in sorted {
                write(&Value::String(name.clone()), text);
                write(value, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write(item, text);
            }
            text.push(']');
        }
        other => {
            text.push_str(&other.to_string());
            text.push(',');
        }
    }
}

fn said(reply: &ElicitResult) -> Reply {
    let confirmed = || reply.content.as_ref().is_some_and(|content| content[CONFIRM] == true);
    match reply.action {
        ElicitationAction::Accept if confirmed() => Reply::Accepted,
        ElicitationAction::Accept | ElicitationAction::Decline => Reply::Declined,
        // whatever else a client may say one day is no yes
        _ => Reply::Dismissed,
    }
}

fn form(question: &Question) -> Result<ElicitRequestParams, ErrorData> {
    let schema = ElicitationSchema::builder().required_bool(CONFIRM).build();
    Ok(ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: question.message.clone(),
        requested_schema: schema.map_err(|error| ErrorData::internal_error(error.to_string(), None))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn arguments(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn what_a_state_is_bound_to_does_not_depend_on_the_order_of_keys_and_on_everything_else() {
        let of = |caller: &str, tool: &str, json: &str| bound(caller, tool, &serde_json::from_str(json).unwrap());
        let one = of("a", "t", r#"{"x": {"p": 1, "q": [1, 2]}, "y": "1"}"#);
        assert_eq!(one, of("a", "t", r#"{"y": "1", "x": {"q": [1, 2], "p": 1}}"#));
        for other in [
            of("b", "t", r#"{"x": {"p": 1, "q": [1, 2]}, "y": "1"}"#),
            of("a", "u", r#"{"x": {"p": 1, "q": [1, 2]}, "y": "1"}"#),
            of("a", "t", r#"{"x": {"p": 1, "q": [2, 1]}, "y": "1"}"#),
            of("a", "t", r#"{"x": {"p": 1, "q": [12]}, "y": "1"}"#),
            of("a", "t", r#"{"x": {"p": 1, "q": [1, 2]}, "y": 1}"#),
            of("a", "t", r#"{"x": {"p": 1}, "q": [1, 2], "y": "1"}"#),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn a_state_is_good_for_its_call_and_no_other() {
        let confirmations = Confirmations::new(vec![7; MIN_KEY], PATIENCE).unwrap();
        let question = Question {
            message: "Shall this be done?".into(),
            plan_id: "bcdfg-0123456789abcdef".into(),
        };
        let call = bound(
            "a",
            "delete_training_job",
            &arguments(json!({"name": "x", "confirmed": true})),
        );
        let asked = confirmations.required(&question, &call).unwrap();
        let state = asked.request_state.unwrap();
        let replies = |action: &str, confirm: bool| -> InputResponses {
            [(
                CONFIRM.to_owned(),
                json!({"action": action, "content": {"confirm": confirm}}),
            )]
            .into()
        };
        let said = |replies: &InputResponses| confirmations.person(&state, Some(replies), &call).unwrap();
        for (action, confirm, reply) in [
            ("accept", true, Reply::Accepted),
            ("accept", false, Reply::Declined),
            ("decline", true, Reply::Declined),
            ("cancel", true, Reply::Dismissed),
        ] {
            let plan_id = question.plan_id.clone();
            assert_eq!(said(&replies(action, confirm)), Person::Said { plan_id, reply });
        }
        // no reply, or none that can be read: asked anew
        assert_eq!(confirmations.person(&state, None, &call).unwrap(), Person::Reachable);
        let odd = [(CONFIRM.to_owned(), json!({"action": "perhaps"}))].into();
        assert_eq!(said(&odd), Person::Reachable);
        // another call, another key, another text
        let yes = replies("accept", true);
        let other = bound(
            "a",
            "delete_training_job",
            &arguments(json!({"name": "y", "confirmed": true})),
        );
        assert!(confirmations.person(&state, Some(&yes), &other).is_err());
        let stranger = Confirmations::new(vec![8; MIN_KEY], PATIENCE).unwrap();
        assert!(stranger.person(&state, Some(&yes), &call).is_err());
        assert!(confirmations.person("abc", Some(&yes), &call).is_err());
        // one that is too old
        let hasty = Confirmations::new(vec![7; MIN_KEY], Duration::ZERO).unwrap();
        let old = hasty.required(&question, &call).unwrap().request_state.unwrap();
        // it is too old as soon as a millisecond has passed
        while hasty.person(&old, Some(&yes), &call).unwrap() != Person::Reachable {
            std::hint::spin_loop();
        }
        assert!(Confirmations::new(vec![7; MIN_KEY - 1], PATIENCE).is_err());
    }
}
