//! What the sources say to callers: the string literals of product code, without documentation and tests.

use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A literal and the file it is in.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) file: PathBuf,
    pub(crate) text: String,
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The literals of a crate's product code.
pub(crate) fn literals(name: &str) -> Vec<Said> {
    let mut said = Vec::new();
    for file in sources(&root().join("crates").join(name).join("src")) {
        let text = std::fs::read_to_string(&file).unwrap();
        let tokens: TokenStream = text
            .parse()
            .map_err(|error| format!("{}: {error}", file.display()))
            .unwrap();
        let mut found = Vec::new();
        collect(tokens, &mut found);
        said.extend(found.into_iter().map(|text| Said {
            file: file.clone(),
            text,
        }));
    }
    assert!(said.len() > 20, "{name} says {} words", said.len());
    said
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
            files.push(path);
        }
    }
    files
}

/// Walks the tokens. Attributes are left out, and with `#[cfg(test)]` the item that it is on.
fn collect(tokens: TokenStream, out: &mut Vec<String>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '#' => {
                tokens.next_if(|next| matches!(next, TokenTree::Punct(mark) if mark.as_char() == '!'));
                let Some(TokenTree::Group(attribute)) = tokens.next() else {
                    continue;
                };
                if attribute.stream().to_string().replace(' ', "") != "cfg(test)" {
                    continue;
                }
                for skipped in tokens.by_ref() {
                    let ends = match skipped {
                        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                        TokenTree::Punct(mark) => mark.as_char() == ';',
                        _ => false,
                    };
                    if ends {
                        break;
                    }
                }
            }
            TokenTree::Group(group) => collect(group.stream(), out),
            TokenTree::Literal(literal) => {
                let literal = literal.to_string();
                if literal.contains('"') {
                    out.push(literal);
                }
            }
            _ => {}
        }
    }
}

#[test]
fn documentation_and_tests_are_no_words_to_callers() {
    let source = r##"
        //! in_the_module
        /// of_the_item
        fn f() { call(format!("said_{x}", "inner"), r#"raw"#, b'c', 'd', 1); }
        #[cfg(test)]
        mod tests { const A: &str = "of_a_test"; }
        #[must_use]
        const B: &str = "after";
    "##;
    let mut found = Vec::new();
    collect(source.parse().unwrap(), &mut found);
    assert_eq!(found, [r#""said_{x}""#, r#""inner""#, r##"r#"raw"#"##, r#""after""#]);
}
