//! The tokens that an operator has given out: one on the command line or in the environment, or some in a file.

use std::sync::Arc;

use kf_mcp_core::{Catalogues, Engine};
use kf_mcp_server::auth::{Token, Tokens};
use serde::Deserialize;

use crate::settings::{Settings, Unusable};
use crate::watched;

/// The name of a token that has none of its own.
const NAMELESS: &str = "token";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tokens: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    token: String,
    persona: Option<String>,
}

/// The tokens that the settings name, none when they name none. Those of a file follow its changes.
pub(crate) fn of(settings: &Settings, engine: &Engine) -> Result<Option<Arc<Tokens>>, Unusable> {
    if let Some(token) = &settings.auth.token {
        let token = Token::new(NAMELESS, token.expose(), None).map_err(Unusable)?;
        return Ok(Some(Arc::new(Tokens::new(vec![token]).map_err(Unusable)?)));
    }
    let Some(file) = &settings.auth.token_file else {
        return Ok(None);
    };
    let named = |why: String| Unusable(format!("token file {}: {why}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| named(error.to_string()))?;
    let tokens = read(&text, engine.catalogues()).and_then(Tokens::new).map_err(named)?;
    let tokens = Arc::new(tokens);
    let hold = |engine: &Engine, tokens: &Tokens| engine.catalogues().hold("tokens", tokens.personas());
    hold(engine, &tokens);
    let (accepted, engine) = (Arc::clone(&tokens), engine.clone());
    watched::follow("set of tokens", file.clone(), text.into_bytes(), move |file| {
        let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
        accepted.replace(read(&text, engine.catalogues())?)?;
        hold(&engine, &accepted);
        Ok(())
    });
    Ok(Some(tokens))
}

/// Tokens with names, or a file that is one token and nothing else, as Kubernetes mounts a Secret. Errors never show a token.
fn read(text: &str, catalogues: &Catalogues) -> Result<Vec<Token>, String> {
    let lines = || text.lines().filter(|line| !line.trim_start().starts_with('#'));
    if !lines().any(|line| line.starts_with("tokens:")) {
        return Ok(vec![Token::new(NAMELESS, text.trim(), None)?]);
    }
    let file: File = serde_saphyr::from_str(text).map_err(|error| {
        let place = error
            .location()
            .map(|at| format!(" at line {}, column {}", at.line(), at.column()));
        format!(
            "is not of the form `tokens: [{{name: …, token: …, persona: …}}]`{}",
            place.unwrap_or_default()
        )
    })?;
    let tokens = file.tokens.into_iter().map(|entry| {
        if let Some(persona) = entry
            .persona
            .as_deref()
            .filter(|persona| catalogues.of(persona).is_none())
        {
            return Err(format!(
                "the token of {} has the persona `{persona}`, which there is not",
                entry.name
            ));
        }
        Token::new(&entry.name, &entry.token, entry.persona)
    });
    tokens.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kf_mcp_core::{Policy, Tools};

    #[test]
    fn a_file_has_tokens_with_names_or_is_one() {
        let catalogues = Catalogues::new(Tools::of(Vec::new()).unwrap(), Policy::default(), "readonly").unwrap();
        let read = |text: &str| read(text, &catalogues).map(|tokens| format!("{tokens:?}"));
        assert_eq!(read("0123456789abcdef\n").unwrap(), "[Token(token)]");
        let named = "# ours\ntokens:\n  - {name: alice, token: 0123456789abcdefg, persona: data-scientist}\n  - {name: ci, token: 0123456789abcdefh}\n";
        assert_eq!(read(named).unwrap(), "[Token(alice), Token(ci)]");
        for (text, said) in [
            (
                "tokens:\n  - {name: a, token: 0123456789abcdef, persona: boss}\n",
                "persona `boss`",
            ),
            (
                "tokens:\n  - {name: a, secret: 0123456789abcdef}\n",
                "is not of the form",
            ),
            ("tokens: []\n", "[]"),
            ("short\n", "at least 16"),
        ] {
            let said_of_it = read(text).unwrap_or_else(|why| why);
            assert!(
                said_of_it.contains(said) && !said_of_it.contains("0123"),
                "{text}: {said_of_it}"
            );
        }
    }
}
