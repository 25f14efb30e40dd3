//! Going through a tree without recursion.

use tree_sitter::{Node, Tree};

/// What to do after a node was entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// Go into it.
    Descend,
    /// Go past it.
    Skip,
    /// End.
    Stop,
}

/// Visits a tree in the order of the source. `enter` gets the depth of each node, and the field of its parent that it is.
pub(super) fn all<'tree>(tree: &'tree Tree, mut enter: impl FnMut(Node<'tree>, usize, Option<&str>) -> Then) {
    let mut cursor = tree.walk();
    let mut depth = 0;
    loop {
        match enter(cursor.node(), depth, cursor.field_name()) {
            Then::Stop => return,
            Then::Descend if cursor.goto_first_child() => {
                depth += 1;
                continue;
            }
            Then::Descend | Then::Skip => {}
        }
        while !cursor.goto_next_sibling() {
            if depth == 0 || !cursor.goto_parent() {
                return;
            }
            depth -= 1;
        }
        if depth == 0 {
            return;
        }
    }
}

/// The text of a node.
pub(super) fn text<'s>(node: Node, source: &'s str) -> &'s str {
    source.get(node.byte_range()).unwrap_or_default()
}

/// The line of a node, from 1.
pub(super) fn line(node: Node) -> usize {
    node.start_position().row + 1
}

/// The child of a field, with its text.
pub(super) fn field<'s>(node: Node, name: &str, source: &'s str) -> Option<&'s str> {
    node.child_by_field_name(name).map(|child| text(child, source))
}
