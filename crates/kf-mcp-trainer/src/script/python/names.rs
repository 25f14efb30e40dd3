//! Names in a source: which function is to be called, who calls it, and what is used.

use std::collections::{BTreeMap, BTreeSet};

use tree_sitter::{Node, Tree};

use super::walk::{self, Then};
use super::{Facts, Train, Use, is_secret};

/// The function of a script that a job calls.
const TRAIN: &str = "train";
/// As many parts of a dotted name as are followed.
const MOST_PARTS: usize = 16;

/// A function or class at the top, and what it may come to.
#[derive(Debug, Default)]
struct Definition<'s> {
    loads: BTreeSet<&'s str>,
    /// It has a variable of its own called `train`.
    hides: bool,
}

/// Where the walk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place<'s> {
    Definition(&'s str),
    Guard,
}

#[derive(Debug, Default)]
struct Reader<'s> {
    source: &'s str,
    places: Vec<(usize, Place<'s>)>,
    definitions: BTreeMap<&'s str, Definition<'s>>,
    at_top: Vec<(&'s str, usize)>,
    in_guard: Vec<(&'s str, usize)>,
    guard: Option<usize>,
    /// Whether more than one statement stands under the guard.
    guards_more: bool,
    train: Option<Train>,
    aliases: BTreeMap<&'s str, String>,
    uses: BTreeMap<String, usize>,
    secret: Option<usize>,
}

/// Reads the names of a source.
pub(super) fn read(tree: &Tree, source: &str) -> Facts {
    let mut reader = Reader {
        source,
        ..Reader::default()
    };
    let mut decorated = None;
    walk::all(tree, |node, depth, field| {
        while reader.places.last().is_some_and(|(last, _)| *last >= depth) {
            reader.places.pop();
        }
        if node.kind() == "decorated_definition" {
            decorated = Some(node.end_byte());
        }
        let is_decorated = decorated == Some(node.end_byte());
        reader.enter(node, depth, field, is_decorated)
    });
    reader.facts()
}

impl<'s> Reader<'s> {
    fn enter(&mut self, node: Node, depth: usize, field: Option<&str>, decorated: bool) -> Then {
        match node.kind() {
            "function_definition" | "class_definition" => self.define(node, depth, decorated),
            "if_statement" if self.places.is_empty() => {
                let condition = walk::field(node, "condition", self.source).unwrap_or_default();
                if condition.len() < 100 && condition.contains("__name__") && condition.contains("__main__") {
                    self.guard = Some(walk::line(node));
                    let block = node.child_by_field_name("consequence");
                    self.guards_more = block.is_some_and(|block| {
                        let mut cursor = block.walk();
                        let statements = block
                            .named_children(&mut cursor)
                            .filter(|child| child.kind() != "comment");
                        statements.count() > 1
                    });
                    self.places.push((depth, Place::Guard));
                }
            }
            "assignment" | "for_statement" | "for_in_clause" | "named_expression" => {
                let target = node
                    .child_by_field_name("left")
                    .or_else(|| node.child_by_field_name("name"));
                if target.is_some_and(|target| self.names_train(target)) {
                    // At the top, `train = compile(train)` calls nothing.
                    if self.places.is_empty() {
                        return Then::Skip;
                    }
                    self.hide();
                }
            }
            "parameters" | "lambda_parameters" => {
                let hides = parameters(node, self.source)
                    .iter()
                    .any(|parameter| parameter.name == TRAIN);
                if hides {
                    self.hide();
                }
            }
            "import_statement" => {
                self.import(node);
                return Then::Skip;
            }
            "import_from_statement" => {
                self.import_from(node);
                return Then::Skip;
            }
            "attribute" => return self.attribute(node),
            "call" => self.call(node),
            "identifier" if !matches!(field, Some("attribute" | "name")) => self.load(node),
            "string_content" if self.secret.is_none() && is_secret(walk::text(node, self.source)) => {
                self.secret = Some(walk::line(node));
            }
            _ => {}
        }
        Then::Descend
    }

    fn define(&mut self, node: Node, depth: usize, decorated: bool) {
        let Some(name) = walk::field(node, "name", self.source) else {
            return;
        };
        if !self.places.is_empty() {
            if name == TRAIN {
                self.hide();
            }
            return;
        }
        if name == TRAIN && node.kind() == "function_definition" {
            self.train = Some(signature(node, self.source, decorated));
        }
        self.definitions.entry(name).or_default();
        self.places.push((depth, Place::Definition(name)));
    }

    /// A name that is read, wherever that is.
    fn load(&mut self, node: Node) {
        let name = walk::text(node, self.source);
        match self.places.first() {
            None => self.at_top.push((name, walk::line(node))),
            Some((_, Place::Guard)) => self.in_guard.push((name, walk::line(node))),
            Some((_, Place::Definition(definition))) => {
                self.definitions.entry(definition).or_default().loads.insert(name);
            }
        }
    }

    /// The definition that the walk is in has its own `train`.
    fn hide(&mut self) {
        if let Some((_, Place::Definition(definition))) = self.places.first() {
            self.definitions.entry(definition).or_default().hides = true;
        }
    }

    fn names_train(&self, target: Node) -> bool {
        let is_train = |node: Node| node.kind() == "identifier" && walk::text(node, self.source) == TRAIN;
        is_train(target)
            || target.kind().ends_with("pattern_list") && target.named_children(&mut target.walk()).any(is_train)
            || target.kind().ends_with("_pattern") && target.named_children(&mut target.walk()).any(is_train)
    }

    fn import(&mut self, node: Node) {
        for name in node.children_by_field_name("name", &mut node.walk()) {
            let (module, alias) = named(name, self.source);
            let first = module.split('.').next().unwrap_or_default();
            self.used(module.to_owned(), walk::line(name));
            match alias {
                Some(alias) => self.aliases.insert(alias, module.to_owned()),
                None => self.aliases.insert(first, first.to_owned()),
            };
        }
    }

    fn import_from(&mut self, node: Node) {
        let module = walk::field(node, "module_name", self.source).unwrap_or_default();
        self.used(module.to_owned(), walk::line(node));
        for name in node.children_by_field_name("name", &mut node.walk()) {
            let (member, alias) = named(name, self.source);
            let full = format!("{module}.{member}");
            self.used(full.clone(), walk::line(name));
            self.aliases.insert(alias.unwrap_or(member), full);
        }
    }

    /// `a.b.c`, if `a` was imported.
    fn attribute(&mut self, node: Node) -> Then {
        let (mut parts, mut inner) = (Vec::new(), node);
        while inner.kind() == "attribute" && parts.len() < MOST_PARTS {
            parts.push(walk::field(inner, "attribute", self.source).unwrap_or_default());
            match inner.child_by_field_name("object") {
                Some(object) => inner = object,
                None => return Then::Descend,
            }
        }
        if inner.kind() != "identifier" {
            return Then::Descend;
        }
        self.load(inner);
        if let Some(root) = self.aliases.get(walk::text(inner, self.source)) {
            let mut full = root.clone();
            for part in parts.iter().rev() {
                full.push('.');
                full.push_str(part);
            }
            self.used(full, walk::line(node));
        }
        Then::Skip
    }

    /// `eval(...)`.
    fn call(&mut self, node: Node) {
        let function = node.child_by_field_name("function");
        if let Some(function) = function.filter(|function| function.kind() == "identifier") {
            let name = walk::text(function, self.source);
            if !self.aliases.contains_key(name) {
                self.used(name.to_owned(), walk::line(function));
            }
        }
    }

    fn used(&mut self, name: String, line: usize) {
        self.uses.entry(name).or_insert(line);
    }

    /// The names that may come to call `train`, and `train` itself: from there back to those that load it. Each definition
    /// is looked at once, however many there are and however they call each other.
    fn callers(&self) -> BTreeSet<&'s str> {
        let mut loaded_by: BTreeMap<&str, Vec<&'s str>> = BTreeMap::new();
        for (name, definition) in &self.definitions {
            let others = definition.loads.iter();
            for load in others.filter(|load| !(definition.hides && **load == TRAIN)) {
                loaded_by.entry(load).or_default().push(name);
            }
        }
        let (mut seen, mut open) = (BTreeSet::new(), vec![TRAIN]);
        while let Some(name) = open.pop() {
            if seen.insert(name) {
                open.extend(loaded_by.get(name).into_iter().flatten());
            }
        }
        seen
    }

    fn facts(self) -> Facts {
        let callers = self.callers();
        let line = |loads: &[(&'s str, usize)]| {
            let first = loads.iter().find(|(name, _)| callers.contains(name));
            first.map(|(_, line)| *line)
        };
        let (calls, guarded) = (line(&self.at_top), line(&self.in_guard));
        let guard = self.guard.map(|line| (guarded.unwrap_or(line), guarded.is_some()));
        let uses = self
            .uses
            .into_iter()
            .filter(|(name, _)| !self.definitions.contains_key(name.as_str()));
        Facts {
            calls,
            guard,
            guards_more: self.guards_more,
            uses: uses.map(|(name, line)| Use { name, line }).collect(),
            train: self.train,
            secret: self.secret,
            ..Facts::default()
        }
    }
}

/// `a.b` or `a.b as c`.
fn named<'s>(node: Node, source: &'s str) -> (&'s str, Option<&'s str>) {
    match walk::field(node, "name", source) {
        Some(name) => (name, walk::field(node, "alias", source)),
        None => (walk::text(node, source), None),
    }
}

/// One parameter.
#[derive(Debug, Clone, Copy)]
struct Parameter<'n, 's> {
    name: &'s str,
    kind: &'n str,
}

/// Parameters in their order, with `*`, `/` and what they are called in the grammar.
fn parameters<'n, 's>(node: Node<'n>, source: &'s str) -> Vec<Parameter<'n, 's>> {
    let mut all = Vec::new();
    for child in node.named_children(&mut node.walk()) {
        let (inner, kind) = match child.kind() {
            // `name: type`, `*names: type`.
            "typed_parameter" => match child.named_child(0) {
                Some(inner) => (inner, inner.kind()),
                None => continue,
            },
            kind => (child, kind),
        };
        let name = walk::field(inner, "name", source).unwrap_or_else(|| walk::text(inner, source));
        all.push(Parameter { name, kind });
    }
    all
}

fn signature(function: Node, source: &str, decorated: bool) -> Train {
    let mut train = Train {
        line: walk::line(function),
        decorated,
        ..Train::default()
    };
    let Some(list) = function.child_by_field_name("parameters") else {
        return train;
    };
    for Parameter { name, kind } in parameters(list, source) {
        match kind {
            "identifier" => train.required.push(name.to_owned()),
            "default_parameter" | "typed_default_parameter" => train.optional.push(name.to_owned()),
            "dictionary_splat_pattern" => train.takes_any = true,
            // Whatever stands before the `/` cannot be given by name.
            "positional_separator" => {
                train.positional = std::mem::take(&mut train.required);
                train.optional.clear();
            }
            _ => {}
        }
    }
    train
}

#[cfg(test)]
mod tests {
    use super::super::{Start, read};

    fn start(source: &str) -> Option<usize> {
        match read(source).start(false) {
            Start::Train { .. } => None,
            Start::AsItIs { line } => Some(line.unwrap_or_default()),
        }
    }

    #[test]
    fn a_script_that_calls_train_itself_is_left_alone() {
        for (source, line) in [
            ("def train(): pass\n", None),
            ("def train(): pass\ntrain()\n", Some(2)),
            ("def train(): pass\ndef main(): train()\nmain()\n", Some(3)),
            ("def train(): pass\ndef main(): train()\n", None),
            ("def train(): pass\nmp.spawn(train, nprocs=2)\n", Some(2)),
            (
                "class A:\n  def go(self): train()\ndef train(): pass\nA().go()\n",
                Some(4),
            ),
            ("def train(): pass\nif __name__ == '__main__':\n  train()\n", Some(3)),
            (
                "def train(): pass\nif __name__ == '__main__':\n  print('loaded')\n",
                None,
            ),
            ("def train(model): pass\nif __name__ == '__main__':\n  go()\n", Some(0)),
            (
                "@app.command()\ndef train(): pass\nif __name__ == '__main__':\n  app()\n",
                Some(0),
            ),
            ("def train(): pass\ntrain = compile_it(train)\n", None),
            (
                "def load():\n  train = 1\n  return train\ndef train(): load()\nx = load()\n",
                None,
            ),
            ("def split(train): return train\ndef train(): pass\nsplit(1)\n", None),
            (
                "def train(): train_one()\ndef train_one(): pass\nmodel.train()\nrun(train=True)\n",
                None,
            ),
            ("class A:\n  def train(self): pass\nA().train()\n", Some(0)),
            ("try:\n  import x\nexcept E:\n  def train(): pass\n", None),
            ("train = 5\n", Some(0)),
            ("from x import train\ntrain()\n", Some(0)),
        ] {
            assert_eq!(start(source), line, "{source}");
        }
    }

    #[test]
    fn long_chains_of_calls_are_followed_once() {
        // As many names at the top as functions, and none comes to call `train`: following each anew would take minutes.
        let mut source = String::from("def train(): pass\ndef f0(): pass\n");
        for n in 1..8000 {
            source.push_str(&format!("def f{n}(): f{}()\nf{n}()\n", n - 1));
        }
        assert_eq!(start(&source), None);
        let calls = source.replacen("def f0(): pass", "def f0(): train()", 1);
        assert_eq!(start(&calls), Some(4));
    }

    #[test]
    fn the_signature_is_read() {
        let source = "@d\nasync def train(a, /, b, c: int, d=1, *rest: int, e, f: str = 'x', **more): pass\n";
        let train = read(source).train.unwrap();
        assert!(train.decorated && train.takes_any);
        assert_eq!(train.positional, ["a"]);
        assert_eq!(train.required, ["b", "c", "e"]);
        assert_eq!(train.optional, ["d", "f"]);
        assert_eq!(train.line, 2);
    }
}
