//! A client with a person behind it.

use std::sync::{Arc, Mutex};

use rmcp::model::{
    ClientCapabilities, ClientConfig, ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationCapability,
    ErrorData, Implementation,
};
use rmcp::service::RequestContext;
use rmcp::{ClientHandler, RoleClient};
use serde_json::json;

/// What the person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Does {
    Accepts,
    /// Accepts the form, with a no in it.
    SaysNo,
    Declines,
    Dismisses,
    Nothing,
}

/// A client with a person behind it, who is shown questions.
#[derive(Clone)]
pub(crate) struct Person {
    does: Does,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Person {
    pub(crate) fn who(does: Does) -> Self {
        Self {
            does,
            asked: Arc::default(),
        }
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl ClientHandler for Person {
    fn get_info(&self) -> ClientConfig {
        let mut can = ClientCapabilities::default();
        can.elicitation = Some(ElicitationCapability::default());
        ClientConfig::new(can, Implementation::new("test", "1"))
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        if let ElicitRequestParams::FormElicitationParams { message, .. } = request {
            self.asked.lock().unwrap().push(message);
        }
        let yes =
            |confirm: bool| ElicitResult::new(ElicitationAction::Accept).with_content(json!({"confirm": confirm}));
        match self.does {
            Does::Accepts => Ok(yes(true)),
            Does::SaysNo => Ok(yes(false)),
            Does::Declines => Ok(ElicitResult::new(ElicitationAction::Decline)),
            Does::Dismisses => Ok(ElicitResult::new(ElicitationAction::Cancel)),
            Does::Nothing => std::future::pending().await,
        }
    }
}
