//! The MCP handler: protocol messages to calls of the engine, and answers back.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kf_mcp_core::{Answer, CallMeta, Called, Caller, Engine, Listed, Progress, Tier};
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, DiscoverResult, ErrorData,
    Implementation, ListPromptsResult, ListResourceTemplatesRequestMethod, ListResourceTemplatesResult,
    ListResourcesRequestMethod, ListResourcesResult, ListToolsResult, MetaObject, PaginatedRequestParams,
    ProgressNotificationParam, ProtocolVersion, ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities,
    ServerConfig, Tool, ToolAnnotations,
};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};
use serde_json::json;
use tokio::sync::mpsc;

use crate::resources;

/// How long clients may keep the catalogue: it changes only with the process.
pub(crate) const LIST_TTL: u64 = 300_000;
/// Progress reports that wait to be sent; more are dropped.
const PROGRESS: usize = 256;
/// How long a client may take to accept a progress report.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(1);

/// Speaks MCP for an engine.
#[derive(Debug)]
pub struct Handler {
    engine: Engine,
    tools: Vec<Tool>,
    by_name: HashMap<&'static str, usize>,
    info: ServerConfig,
    stamp: MetaObject,
}

impl Handler {
    pub(crate) fn new(engine: Engine, instructions: Tier) -> Self {
        let listed = engine.catalogue().tools();
        let tools: Vec<Tool> = listed.iter().map(|listed| tool(listed, &engine)).collect();
        let by_name = listed
            .iter()
            .enumerate()
            .map(|(at, tool)| (tool.spec.name, at))
            .collect();
        let implementation = Implementation::new("kubeflow-mcp", env!("CARGO_PKG_VERSION"))
            .with_title("Kubeflow")
            .with_description("Plan, submit, watch and register machine-learning training on Kubernetes");
        let stamp = json!({"io.modelcontextprotocol/serverInfo": {"name": "kubeflow-mcp", "version": env!("CARGO_PKG_VERSION")}});
        let stamp = MetaObject(stamp.as_object().cloned().unwrap_or_default());
        // Prompts are declared and empty: many clients ask for them whatever is declared.
        let mut capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .enable_prompts()
            .build();
        if engine.catalogue().guides().is_empty() {
            capabilities.resources = None;
        }
        let info = ServerConfig::new(capabilities)
            .with_server_info(implementation)
            .with_instructions(engine.catalogue().instructions(instructions).to_owned());
        Self {
            engine,
            tools,
            by_name,
            info,
            stamp,
        }
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Calls a tool and sends its progress while it runs. The reports go out from the handler's own task, so that they
    /// reach the stream of this request.
    async fn run(
        &self,
        name: &str,
        arguments: serde_json::Map<String, serde_json::Value>,
        cx: &RequestContext<RoleServer>,
    ) -> Option<Called> {
        let mut meta = CallMeta {
            caller: Caller::Local,
            cancelled: cx.ct.clone(),
            progress: None,
        };
        let Some(token) = cx.meta.get_progress_token() else {
            return self.engine.call(name, arguments, meta).await;
        };
        let (sink, mut reports) = mpsc::channel::<Progress>(PROGRESS);
        meta.progress = Some(sink);
        let call = self.engine.call(name, arguments, meta);
        let mut call = std::pin::pin!(call);
        let send = async |report: Progress| {
            let mut param = ProgressNotificationParam::new(token.clone(), report.done).with_message(report.message);
            if let Some(total) = report.total {
                param = param.with_total(total);
            }
            // A client that stopped reading must not hold up the call itself.
            let told = tokio::time::timeout(PATIENCE, cx.peer.notify_progress(param)).await;
            if !matches!(told, Ok(Ok(()))) {
                tracing::debug!("the client does not take progress");
            }
        };
        let called = loop {
            tokio::select! {
                biased;
                Some(report) = reports.recv() => send(report).await,
                called = &mut call => break called,
            }
        };
        while let Ok(report) = reports.try_recv() {
            send(report).await;
        }
        called
    }
}

fn tool(listed: &Listed, engine: &Engine) -> Tool {
    let annotations = ToolAnnotations::new()
        .read_only(listed.read_only())
        .destructive(listed.destructive())
        .idempotent(listed.spec.idempotent)
        // What most tools touch is one cluster, not the open world.
        .open_world(engine.opens(&listed.spec));
    Tool::new(
        listed.spec.name,
        listed.description.clone(),
        Arc::clone(&listed.input_schema),
    )
    .with_title(listed.title.clone())
    .with_raw_output_schema(Arc::clone(&listed.output_schema))
    .with_annotations(annotations)
}

fn result(answer: Answer) -> CallToolResult {
    let mut content = vec![ContentBlock::text(answer.text)];
    content.extend(
        answer
            .images
            .iter()
            .map(|image| ContentBlock::image(STANDARD.encode(&image.data), image.mime)),
    );
    let mut result = if answer.is_error {
        CallToolResult::error(content)
    } else {
        CallToolResult::success(content)
    };
    result.structured_content = Some(answer.structured);
    result
}

fn is_modern(cx: &RequestContext<RoleServer>) -> bool {
    cx.protocol_version()
        .is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        self.info.clone()
    }

    async fn discover(&self, _: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let versions = self.supported_protocol_versions().into_owned();
        Ok(DiscoverResult::from_server_info(versions, self.get_info())
            .with_ttl_ms(LIST_TTL)
            .with_cache_scope(CacheScope::Private))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        // One page: many clients read only the first.
        Ok(ListToolsResult::with_all_items(self.tools.clone())
            .with_ttl_ms(LIST_TTL)
            .with_cache_scope(CacheScope::Private))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.by_name.get(name).map(|at| self.tools[*at].clone())
    }

    async fn call_tool(
        &self,
        params: CallToolRequestParams,
        cx: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = params.arguments.unwrap_or_default();
        let Some(called) = self.run(&params.name, arguments, &cx).await else {
            let near = self
                .engine
                .nearest(&params.name)
                .map(|near| format!("; did you mean {near}?"))
                .unwrap_or_default();
            let name: String = params.name.chars().filter(|c| !c.is_control()).take(80).collect();
            return Err(ErrorData::invalid_params(format!("Unknown tool: {name}{near}"), None));
        };
        let mut result = result(called.answer);
        if is_modern(&cx) {
            result.meta = Some(self.stamp.clone());
        }
        Ok(result.into())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult::with_all_items(Vec::new())
            .with_ttl_ms(LIST_TTL)
            .with_cache_scope(CacheScope::Private))
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        resources::list(self.engine.catalogue()).ok_or_else(ErrorData::method_not_found::<ListResourcesRequestMethod>)
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        resources::templates(self.engine.catalogue())
            .ok_or_else(ErrorData::method_not_found::<ListResourceTemplatesRequestMethod>)
    }

    async fn read_resource(
        &self,
        params: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        resources::read(self.engine.catalogue(), &params.uri).map(Into::into)
    }
}
