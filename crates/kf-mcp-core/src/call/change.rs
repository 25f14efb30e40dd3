//! The two halves of a change: show the plan, or do it. No tool writes this logic.

use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::person::{Person, Reply};
use crate::answer::{Answer, Question, Render};
use crate::cx::Cx;
use crate::error::{ErrorCode, ToolError};
use crate::policy::Before;
use crate::redact;
use crate::text::{self, Text};
use crate::tool::{Change, Confirmation};

/// How many characters of a plan a person is shown. Clients show questions in small windows.
const QUESTION: usize = 1500;
/// How many characters of what is spelled out besides, each.
const SPELLED_OUT: usize = 4000;
/// How many characters of a plan id are the seed; the others are the digest.
const SEED: usize = 5;

/// Plans, and applies when that was confirmed: by the caller, and by the person where the policy wants that. A `plan_id` must
/// be the id of the plan as it is now: plans do not travel, so what is applied is always what the server has just validated.
pub(crate) async fn run<C: Change>(
    arguments: Map<String, Value>,
    confirmation: Confirmation,
    mut cx: Cx,
) -> Result<Answer, ToolError> {
    // What the person was asked about is what is applied, whatever the caller says besides.
    let named = match &confirmation.person {
        Person::Said { plan_id, .. } => Some(plan_id.clone()),
        _ => confirmation.plan_id.clone(),
    };
    if let Some(id) = &named {
        let seed = id.split_once('-').map(|(seed, _)| seed).filter(|seed| is_seed(seed));
        let Some(seed) = seed else {
            return Err(ToolError::argument("plan_id", "is not a plan id of this server")
                .fix("use the plan_id of a preview, or leave it out"));
        };
        cx.set_plan(seed.to_owned(), id.clone());
    }
    let name = C::SPEC.name;
    if let Person::Said { plan_id, reply } = &confirmation.person {
        if *reply != Reply::Accepted {
            cx.decided("refused", plan_id);
        }
        reply.check(name)?;
    }
    let change: C = crate::parse::of(arguments)?;
    let plan = change.plan(&cx).await?;
    let costs = cx.allowance().cost(&C::cost(&plan));
    costs.map_err(|refusal| refusal.error(format!("call {name}")))?;
    let id = plan_id(name, cx.seed(), &plan)?;
    if confirmation.confirmed
        && let Some(asked) = named.filter(|asked| *asked != id)
    {
        return Err(ToolError::new(
            ErrorCode::StalePlan,
            format!("apply plan {asked}"),
            "the arguments or the cluster changed since that preview, so it is no longer what would happen",
        )
        .fix("call again without confirmed and plan_id to see the plan as it is now")
        .tool(name));
    }
    if !confirmation.confirmed {
        cx.decided("preview", &id);
        return preview(&plan, &id, &cx);
    }
    cx.decided("confirmed", &id);
    match confirmation.person {
        Person::Said { .. } => cx.decided("accepted", &id),
        person => match cx
            .allowance()
            .policy()
            .before(C::SPEC.risk, person == Person::Reachable)
        {
            Before::Nothing => {}
            Before::Ask => {
                cx.decided("asked", &id);
                return question(&plan, &change.spelled_out(&plan), id, &cx);
            }
            Before::Refuse => {
                let why = "the policy wants a person to confirm every change, and this client cannot ask one (it declares no elicitation)";
                return Err(ToolError::new(ErrorCode::DeniedByPolicy, format!("call {name}"), why).fix(
                    "use a client that can ask the person; the operator can allow `confirmed` alone with `unasked: preview` in the policy",
                ));
            }
        },
    }
    cx.audited().await?;
    cx.set_plan(cx.seed().to_owned(), id);
    let output = C::apply(plan, &cx).await?;
    Answer::of(&output, cx.now())
}

/// The plan as the person is asked about it.
fn question<P: Serialize + Render>(
    plan: &P,
    spelled_out: &[(&str, String)],
    id: String,
    cx: &Cx,
) -> Result<Answer, ToolError> {
    let mut answer = Answer::of(plan, cx.now())?;
    let shown = text::bounded(&text::clean(&answer.text), QUESTION);
    let mut message = format!("Shall this be done?\n{shown}");
    for (name, whole) in spelled_out {
        let shown = text::visible(&redact::secrets(whole));
        // a bar before each line: none of them looks like a line of ours
        let lines = text::bounded(&shown, SPELLED_OUT).replace('\n', "\n| ");
        message.push_str(&format!("\nthe {name}:\n| {lines}"));
    }
    answer.structured = json!({"preview": answer.structured, "plan_id": id});
    answer.text = format!("Waiting for the person's yes, nothing has changed:\n{}", answer.text);
    answer.question = Some(Question { message, plan_id: id });
    Ok(answer)
}

fn preview<P: Serialize + Render>(plan: &P, id: &str, cx: &Cx) -> Result<Answer, ToolError> {
    let mut answer = Answer::of(plan, cx.now())?;
    let mut text = Text::new(cx.now());
    text.line("Preview, nothing has changed:");
    text.line(&answer.text);
    text.line(format!(
        "To do it, call again with the same arguments, confirmed=true and plan_id={id}"
    ));
    answer.structured = json!({"preview": answer.structured, "plan_id": id});
    answer.text = text.finish();
    Ok(answer)
}

fn plan_id<P: Serialize>(tool: &str, seed: &str, plan: &P) -> Result<String, ToolError> {
    let json = serde_json::to_vec(&(tool, plan))
        .map_err(|error| ToolError::new(ErrorCode::Internal, "write the plan", error.to_string()))?;
    let digest = Sha256::digest(&json);
    let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{seed}-{hex}"))
}

fn is_seed(seed: &str) -> bool {
    seed.len() == SEED && seed.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

/// A fresh seed: what generated names end with, so that a confirmed plan names the same object as its preview.
pub(crate) fn new_seed() -> String {
    // The alphabet Kubernetes uses for generated names: no vowels, so no words.
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut random = super::random();
    (0..SEED)
        .map(|_| {
            let at = (random % ALPHABET.len() as u64) as usize;
            random /= ALPHABET.len() as u64;
            char::from(ALPHABET[at])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_fit_for_names_and_differ() {
        let seeds: std::collections::BTreeSet<String> = (0..50).map(|_| new_seed()).collect();
        assert!(seeds.len() > 45);
        assert!(seeds.iter().all(|seed| is_seed(seed)));
    }

    #[test]
    fn a_plan_id_depends_on_tool_seed_and_plan() {
        let id = plan_id("delete_training_job", "bcdfg", &json!({"a": 1})).unwrap();
        assert_eq!(id, plan_id("delete_training_job", "bcdfg", &json!({"a": 1})).unwrap());
        assert_ne!(id, plan_id("delete_training_job", "bcdfg", &json!({"a": 2})).unwrap());
        assert_ne!(id, plan_id("delete_runtime", "bcdfg", &json!({"a": 1})).unwrap());
    }
}
