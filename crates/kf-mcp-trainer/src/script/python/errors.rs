//! The first syntax error: what the grammar refuses, and what Python refuses although the grammar does not.

use std::sync::{Arc, Mutex, PoisonError};

use tree_sitter::{LogType, Node, Point, Tree};

use super::walk::{self, Then};
use super::{SyntaxError, parser};

/// The first error of a source, in its order.
pub(super) fn first(tree: &Tree, source: &str) -> Option<SyntaxError> {
    let of_grammar = tree.root_node().has_error().then(|| {
        let (at, what) = stumble(source).unwrap_or_else(|| (broken(tree), "invalid syntax".into()));
        (at, what)
    });
    let of_python = refused(tree, source);
    let (at, what) = match (of_grammar, of_python) {
        (Some(one), Some(other)) if other.0 < one.0 => other,
        (Some(one), _) => one,
        (None, other) => other?,
    };
    Some(SyntaxError {
        line: at.row + 1,
        column: column(source, at),
        what,
    })
}

/// The column in characters, from 1: the parser counts bytes.
fn column(source: &str, at: Point) -> usize {
    let line = source.split('\n').nth(at.row).unwrap_or_default();
    let before = line.get(..at.column.min(line.len())).unwrap_or(line);
    before.chars().count() + 1
}

/// The first broken node, where the parser's own words do not help.
fn broken(tree: &Tree) -> Point {
    let mut found = Point::default();
    walk::all(tree, |node, _, _| {
        if node.is_error() || node.is_missing() {
            found = node.start_position();
            return Then::Stop;
        }
        if node.has_error() { Then::Descend } else { Then::Skip }
    });
    found
}

/// What is said of a line without its end, a `:` for example.
const EARLY: &str = "the line ends too early, or a bracket in it is not closed";

/// Where the parser could not go on any more, from its log: it follows several readings of the source at a time, and begins
/// to repair where the last of them ends. The broken nodes are the repair, which often begins far before the error.
fn stumble(source: &str) -> Option<(Point, String)> {
    #[derive(Default)]
    struct Seen {
        at: Point,
        furthest: Option<(Point, String)>,
        repairs: bool,
    }
    let seen = Arc::new(Mutex::new(Seen::default()));
    let mut parser = parser()?;
    let log = Arc::clone(&seen);
    parser.set_logger(Some(Box::new(move |kind, said: &str| {
        let mut seen = log.lock().unwrap_or_else(PoisonError::into_inner);
        if kind != LogType::Parse || seen.repairs {
            return;
        }
        if said.starts_with("process ") {
            seen.at = point(said).unwrap_or(seen.at);
        } else if let Some(token) = said.strip_prefix("detect_error lookahead:") {
            let at = seen.at;
            if seen.furthest.as_ref().is_none_or(|(before, _)| *before <= at) {
                seen.furthest = Some((at, token.to_owned()));
            }
        } else if said.starts_with("resume ") {
            seen.repairs = true;
        }
    })));
    // Until the repair begins is enough, and repairing is what takes long.
    let (bytes, watched) = (source.as_bytes(), Arc::clone(&seen));
    let mut go_on = move |_: &tree_sitter::ParseState| {
        if watched.lock().unwrap_or_else(PoisonError::into_inner).repairs {
            std::ops::ControlFlow::Break(())
        } else {
            std::ops::ControlFlow::Continue(())
        }
    };
    parser.parse_with_options(
        &mut |at, _| bytes.get(at..).unwrap_or_default(),
        None,
        Some(tree_sitter::ParseOptions::new().progress_callback(&mut go_on)),
    );
    let furthest = seen.lock().unwrap_or_else(PoisonError::into_inner).furthest.clone();
    let (at, token) = furthest?;
    Some(match token.as_str() {
        "_newline" => (at, EARLY.into()),
        "_indent" => (next(source, at), "unexpected indent".into()),
        "_dedent" => (next(source, at), "unexpected end of the block".into()),
        "end" if source.split('\n').nth(at.row + 1).is_some_and(|rest| rest.is_empty()) => (at, EARLY.into()),
        "end" => (
            at,
            "the script ends too early: is a bracket or a text not closed?".into(),
        ),
        // Where a line cannot end, the parser looks for its continuation in the next.
        _ if next(source, at).row > at.row => (at, EARLY.into()),
        _ => {
            let open = source.split('\n').nth(at.row).and_then(|line| line.get(..at.column));
            let open = open.is_some_and(|before| before.ends_with(['\'', '"']));
            let (at, hint) = (
                next(source, at),
                if open {
                    ": is the text before it not closed?"
                } else {
                    ""
                },
            );
            (at, format!("unexpected {}{hint}", word(source, at)))
        }
    })
}

/// `row:3, col:5` of a line of the log.
fn point(said: &str) -> Option<Point> {
    let number = |name: &str| -> Option<usize> {
        let (_, rest) = said.split_once(name)?;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    Some(Point::new(number("row:")?, number("col:")?))
}

/// The place after blanks and comments.
fn next(source: &str, from: Point) -> Point {
    let mut at = from;
    for (row, line) in source.split('\n').enumerate().skip(from.row) {
        let begin = if row == from.row {
            from.column.min(line.len())
        } else {
            0
        };
        let rest = line.get(begin..).unwrap_or_default();
        let blanks = rest.len() - rest.trim_start().len();
        let rest = rest.trim_start();
        if !rest.is_empty() && !rest.starts_with('#') && rest != "\\" {
            at = Point::new(row, begin + blanks);
            break;
        }
    }
    at
}

/// What stands at a place: a word, or one character.
fn word(source: &str, at: Point) -> String {
    let line = source.split('\n').nth(at.row).unwrap_or_default();
    let rest = line.get(at.column..).unwrap_or_default();
    let word: String = rest
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .take(40)
        .collect();
    match rest.chars().next() {
        _ if !word.is_empty() => format!("`{word}`"),
        Some(c) if !c.is_control() => format!("`{c}`"),
        Some(c) => format!("character {}", c.escape_unicode()),
        None => "end".into(),
    }
}

/// What the grammar lets through: blocks without statements, indentation that jumps, a `try` that catches nothing, and
/// statements of Python 2.
fn refused(tree: &Tree, source: &str) -> Option<(Point, String)> {
    let mut found: Option<(Point, String)> = None;
    // How deep the functions are in which the walk is.
    let mut functions: Vec<usize> = Vec::new();
    walk::all(tree, |node, depth, _| {
        while functions.last().is_some_and(|last| *last >= depth) {
            functions.pop();
        }
        let wrong = match node.kind() {
            "function_definition" => {
                functions.push(depth);
                None
            }
            "block" | "module" => statements(node, source),
            "try_statement" => caught(node),
            "return_statement" if functions.is_empty() => Some((node.start_position(), "`return` outside a function")),
            "print_statement" if !has(node, "chevron") => {
                Some((node.start_position(), "`print` is a function: write print(...)"))
            }
            "exec_statement" => Some((node.start_position(), "`exec` is a function: write exec(...)")),
            "integer" => octal(node, source),
            _ => None,
        };
        if let Some((at, what)) = wrong
            && found.as_ref().is_none_or(|(first, _)| at < *first)
        {
            found = Some((at, what.to_owned()));
        }
        // What is found inside cannot come before what was found.
        if found.as_ref().is_some_and(|(first, _)| node.start_position() > *first) {
            Then::Stop
        } else {
            Then::Descend
        }
    });
    found
}

type Wrong = Option<(Point, &'static str)>;

fn has(node: Node, kind: &str) -> bool {
    node.children(&mut node.walk()).any(|child| child.kind() == kind)
}

/// The statements of a block stand below each other, and there is at least one.
fn statements(block: Node, source: &str) -> Wrong {
    let mut wanted = (block.kind() == "module").then_some((0, 0));
    let (mut empty, mut row) = (block.kind() == "block" && !block.has_error(), None);
    let mut cursor = block.walk();
    for statement in block.named_children(&mut cursor) {
        if statement.is_extra() || statement.is_error() {
            continue;
        }
        empty = false;
        let at = statement.start_position();
        // Only the first statement of a line is indented.
        if row.replace(statement.end_position().row) == Some(at.row) {
            continue;
        }
        if let Some(indent) = indentation(source, statement)
            && indent != *wanted.get_or_insert(indent)
        {
            return Some((at, "the indentation fits to no line above"));
        }
    }
    empty.then(|| (block.end_position(), "expected an indented block"))
}

/// How far the first statement of a line is indented, as Python counts: with tabs of 8 and with tabs of 1. None for a
/// statement that is not the first of its line, or whose line goes on from another.
fn indentation(source: &str, statement: Node) -> Option<(usize, usize)> {
    let before = source.get(..statement.start_byte())?;
    let (above, line) = before.rsplit_once('\n').unwrap_or(("", before));
    let blank = line.rsplit('\x0c').next().unwrap_or(line);
    if !line.bytes().all(|c| matches!(c, b' ' | b'\t' | 0x0c)) || above.trim_end_matches('\r').ends_with('\\') {
        return None;
    }
    let eight = blank
        .bytes()
        .fold(0, |column, c| if c == b'\t' { column / 8 * 8 + 8 } else { column + 1 });
    Some((eight, blank.len()))
}

fn caught(node: Node) -> Wrong {
    let catches = ["except_clause", "except_group_clause", "finally_clause"];
    let good = catches.iter().any(|kind| has(node, kind)) || node.has_error();
    (!good).then(|| (node.end_position(), "expected `except` or `finally`"))
}

fn octal(node: Node, source: &str) -> Wrong {
    let text = walk::text(node, source);
    let bad = text.len() > 1
        && text.starts_with('0')
        && text.bytes().all(|c| c.is_ascii_digit() || c == b'_')
        && text.bytes().any(|c| matches!(c, b'1'..=b'9'));
    bad.then(|| {
        (
            node.start_position(),
            "a number does not begin with 0: octal numbers are written 0o17",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::read;

    #[test]
    fn errors_are_where_python_says() {
        for (source, line, column, what) in [
            ("for i in range(3)\n  print(i)\n", 1, 18, "line ends too early"),
            ("def f(:\n  pass\n", 1, 7, "unexpected `:`"),
            ("x = (1,\ny = 2\n", 2, 3, "unexpected `=`"),
            ("a b\n", 1, 3, "unexpected `b`"),
            ("é = é é\n", 1, 7, "unexpected `é`"),
            ("x = 1 +\n", 1, 8, "line ends too early"),
            ("x = 5 5\n", 1, 7, "unexpected `5`"),
            ("x = [1, 2\n", 1, 10, "not closed"),
            ("x = '''a\nb\n", 1, 8, "not closed"),
            ("def f():\npass\n", 1, 9, "indented block"),
            ("if x:\n    a\n  b\n", 3, 3, "indentation"),
            ("  x = 1\n", 1, 3, "indentation"),
            ("x = 1\n  y = 2\n", 2, 3, "indentation"),
            ("def f():\n\tx = 1\n        return x\n", 3, 9, "indentation"),
            ("try:\n  x\nprint(1)\n", 2, 4, "except"),
            ("print 'x'\n", 1, 1, "print(...)"),
            ("exec 'x'\n", 1, 1, "exec(...)"),
            ("return 5\n", 1, 1, "outside a function"),
            ("x = 0777\n", 1, 5, "0o17"),
            ("else:\n  x\n", 1, 1, "unexpected `else`"),
            ("x = $HOME\n", 1, 5, "unexpected `$`"),
        ] {
            let error = read(source).error.unwrap_or_else(|| panic!("{source:?} has no error"));
            assert!(error.what.contains(what), "{source:?}: {error:?}");
            assert_eq!((error.line, error.column), (line, column), "{source:?}: {error:?}");
        }
    }

    #[test]
    fn good_python_is_good() {
        for source in [
            "\u{feff}x = 1\r\ny = 2\r\n",
            "a = 1\rif a:\r\tb = 2\r\nc = 3 # d\re = 4\r",
            "if x: a; b\n",
            "def f(): return 1\n",
            "match x:\n  case [1, *_]: pass\n  case _:\n    y\n",
            "type X[T] = list[T]\n",
            "try:\n  x\nexcept* A, B:\n  y\nelse:\n  z\n",
            "async def f():\n  async with a as b, c: await b\n",
            "f'{x!r:>{w}} {'nested'}'\n",
            "t'{x}'\n",
            "x = 1 if y else \\\n  2\n",
            "def f():\n  # only\n  '''doc'''\n",
            "\x0cdef f():\n\tpass\n\x0c\nx = 1\n",
            "@a\n@b.c(1)\nclass A(metaclass=B):\n  x: int = 0\n",
            "print\nprint (1)\nprint >>f\nexec('x')\n",
            "x = 0\ny = 00\nz = 0_0\n",
            "lambda *, a=1, **k: (yield)\n",
        ] {
            assert_eq!(read(source).error, None, "{source:?}");
        }
    }
}
