//! Which namespaces there are.

mod list_namespaces;
