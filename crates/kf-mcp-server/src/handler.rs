//! The MCP handler: protocol messages to calls of the engine, and answers back.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kf_mcp_core::{Answer, CallMeta, Called, Catalogue, Engine, Person, Progress, Tier};
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, DiscoverResult, ErrorData,
    Implementation, InitializeRequestParams, InitializeResult, ListPromptsResult, ListResourceTemplatesRequestMethod,
    ListResourceTemplatesResult, ListResourcesRequestMethod, ListResourcesResult, ListToolsResult, MetaObject,
    PaginatedRequestParams, ProgressNotificationParam, ProtocolVersion, ReadResourceRequestParams,
    ReadResourceResponse, ServerCapabilities, ServerConfig, SubscriptionFilter,
};
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::{RoleServer, ServerHandler};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::auth;
use crate::confirm::{self, Confirmations, Way};
use crate::listings::Listings;
use crate::request_id;
use crate::resources;
use crate::subscriptions::{self, Peers};

/// How long clients may keep the catalogue: it changes only with the process.
pub(crate) const LIST_TTL: u64 = 300_000;
/// The key of an answer's `_meta` under which the request's name is.
const REQUEST_ID: &str = "kubeflow-mcp/request-id";
/// Progress reports that wait to be sent; more are dropped.
const PROGRESS: usize = 256;
/// How long a client may take to accept a progress report.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(1);

/// Speaks MCP for an engine.
#[derive(Debug)]
pub struct Handler {
    engine: Engine,
    listings: Listings,
    tier: Tier,
    info: ServerConfig,
    stamp: MetaObject,
    confirmations: Confirmations,
    peers: Arc<Peers>,
    ending: CancellationToken,
}

impl Handler {
    pub(crate) fn new(engine: Engine, tier: Tier, confirmations: Confirmations) -> Self {
        let catalogue = engine.catalogue();
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
        if catalogue.guides().is_empty() {
            capabilities.resources = None;
        }
        // Without a policy file the tools change only with the process.
        if catalogue.allowance().policy().origin().is_some() {
            capabilities.tools.get_or_insert_default().list_changed = Some(true);
        }
        let info = ServerConfig::new(capabilities).with_server_info(implementation);
        Self {
            engine,
            listings: Listings::default(),
            tier,
            info,
            stamp,
            confirmations,
            peers: Arc::default(),
            ending: CancellationToken::new(),
        }
    }

    /// Whether the tools may change while the process lives.
    fn changes(&self) -> bool {
        let tools = self.info.capabilities.tools.as_ref();
        tools.is_some_and(|tools| tools.list_changed == Some(true))
    }

    /// Cancelled when the server ends: streams that nothing else would end.
    pub(crate) fn ending(&self) -> &CancellationToken {
        &self.ending
    }

    /// The tools of whoever made a request.
    fn catalogue(&self, cx: &RequestContext<RoleServer>) -> Arc<Catalogue> {
        self.engine.catalogue_of(&auth::caller(cx))
    }

    /// What a client is told of this server.
    fn info_for(&self, catalogue: &Catalogue) -> ServerConfig {
        let instructions = catalogue.instructions(self.tier).to_owned();
        self.info.clone().with_instructions(instructions)
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What comes with a call.
    fn meta(
        person: Person,
        (request_id, session): (String, Option<String>),
        cx: &RequestContext<RoleServer>,
    ) -> CallMeta {
        CallMeta {
            request_id,
            session,
            caller: auth::caller(cx),
            cancelled: cx.ct.clone(),
            progress: None,
            person,
            remote: auth::is_remote(cx),
        }
    }

    /// Calls a tool and sends its progress while it runs. The reports go out from the handler's own task, so that they
    /// reach the stream of this request.
    async fn run(
        &self,
        name: &str,
        arguments: Map<String, Value>,
        person: Person,
        (request_id, session): (String, Option<String>),
        cx: &RequestContext<RoleServer>,
    ) -> Option<Called> {
        let mut meta = Self::meta(person, (request_id, session), cx);
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

pub(crate) fn is_modern(cx: &RequestContext<RoleServer>) -> bool {
    cx.protocol_version()
        .is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        self.info_for(&self.engine.catalogue())
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        cx: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        cx.peer.set_peer_info(request.clone());
        let mut info = self.negotiate_initialize(&request)?;
        let catalogue = self.catalogue(&cx);
        info.instructions = Some(catalogue.instructions(self.tier).to_owned());
        Ok(info)
    }

    async fn on_initialized(&self, cx: NotificationContext<RoleServer>) {
        if !self.changes() || !self.peers.add(cx.peer) {
            return;
        }
        let (peers, ending) = (Arc::clone(&self.peers), self.ending.clone());
        let mut changes = self.engine.catalogues().changes();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = ending.cancelled() => return,
                    changed = changes.changed() => match changed {
                        Ok(()) => peers.tell().await,
                        Err(_) => return,
                    },
                }
            }
        });
    }

    fn accepted_subscription_filter(&self, asked: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        self.changes().then(|| subscriptions::accepted(asked))
    }

    async fn listen(&self, cx: SubscriptionContext) -> Result<(), ErrorData> {
        subscriptions::listen(self.engine.catalogues().changes(), &self.ending, cx).await
    }

    async fn discover(&self, cx: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let versions = self.supported_protocol_versions().into_owned();
        let info = self.info_for(&self.catalogue(&cx));
        Ok(DiscoverResult::from_server_info(versions, info)
            .with_ttl_ms(LIST_TTL)
            .with_cache_scope(CacheScope::Private))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        cx: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        // One page: many clients read only the first.
        let tools = self.listings.of(&self.catalogue(&cx), &self.engine);
        Ok(ListToolsResult::with_all_items(tools.to_vec())
            .with_ttl_ms(LIST_TTL)
            .with_cache_scope(CacheScope::Private))
    }

    async fn call_tool(
        &self,
        params: CallToolRequestParams,
        cx: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = params.arguments.unwrap_or_default();
        let way = Way::of(&cx);
        let request = request_id::of(&cx);
        let bound = |arguments: &Map<String, Value>| confirm::bound(&auth::caller(&cx).key(), &params.name, arguments);
        let person = match &params.request_state {
            Some(state) if way == Way::Again => {
                let replies = params.input_responses.as_ref();
                let person = self.confirmations.person(state, replies, &bound(&arguments));
                person.inspect_err(|error| {
                    let meta = Self::meta(way.person(), request.clone(), &cx);
                    self.engine.refused(&params.name, &arguments, &meta, &error.message);
                })?
            }
            _ => way.person(),
        };
        // a call that may have to be made again keeps what it was made with
        let kept = if way == Way::None {
            Map::new()
        } else {
            arguments.clone()
        };
        let mut called = self.run(&params.name, arguments, person, request.clone(), &cx).await;
        if let Some(question) = called.as_ref().and_then(|called| called.answer.question.clone()) {
            if way == Way::Again {
                return Ok(self.confirmations.required(&question, &bound(&kept))?.into());
            }
            let reply = self.confirmations.ask(&question, &cx).await?;
            let plan_id = question.plan_id;
            let person = Person::Said { plan_id, reply };
            called = self.run(&params.name, kept, person, request.clone(), &cx).await;
        }
        let Some(called) = called else {
            let near = self
                .engine
                .nearest(&params.name, &auth::caller(&cx))
                .map(|near| format!("; did you mean {near}?"))
                .unwrap_or_default();
            let name: String = params.name.chars().filter(|c| !c.is_control()).take(80).collect();
            return Err(ErrorData::invalid_params(format!("Unknown tool: {name}{near}"), None));
        };
        let mut result = result(called.answer);
        let mut meta = if is_modern(&cx) {
            self.stamp.clone()
        } else {
            MetaObject::default()
        };
        meta.0.insert(REQUEST_ID.to_owned(), Value::String(request.0));
        result.meta = Some(meta);
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
        resources::list(&self.engine.catalogue()).ok_or_else(ErrorData::method_not_found::<ListResourcesRequestMethod>)
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        resources::templates(&self.engine.catalogue())
            .ok_or_else(ErrorData::method_not_found::<ListResourceTemplatesRequestMethod>)
    }

    async fn read_resource(
        &self,
        params: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        resources::read(&self.engine.catalogue(), &params.uri).map(Into::into)
    }
}
