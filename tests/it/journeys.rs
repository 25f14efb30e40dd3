//! The journeys on the sandbox.

use kf_mcp_tests::World;

macro_rules! on_the_sandbox {
    ($($name:ident: $gpus:literal),* $(,)?) => {$(
        #[tokio::test]
        async fn $name() {
            kf_mcp_tests::journeys::$name(&World::new("healthy-empty")).await;
        }
    )*};
}

kf_mcp_tests::journeys!(on_the_sandbox);
