//! The journeys of the sandbox, word for word.

use crate::Tests;

/// Adds all journeys.
pub(crate) fn add(tests: &mut Tests) {
    macro_rules! on_the_control_plane {
        ($($name:ident: $gpus:literal),* $(,)?) => {$(
            tests.add(concat!("journeys::", stringify!($name)), $gpus, async |stage| {
                kf_mcp_tests::journeys::$name(&stage.world("journey").await).await;
            });
        )*};
    }
    kf_mcp_tests::journeys!(on_the_control_plane);
}
