//! How the API server is found and reached: a kubeconfig or the in-cluster account, read when the first request needs it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::Client;
use kube::client::{Body, ConfigExt};
use kube::config::{AuthInfo, Config, ExecInteractiveMode, KubeConfigOptions, Kubeconfig};
use tokio::sync::Mutex;
use tower::{BoxError, ServiceBuilder};
use tower_http::decompression::DecompressionLayer;

use super::acting::ActAs;
use super::error::{Cause, KubeError};
use super::gate::Asked;
use super::identity;
use crate::caller::Identity;

/// How long the TCP connection may take.
const CONNECT: Duration = Duration::from_secs(3);
/// How often an idle connection is asked whether it still lives.
const ALIVE: Duration = Duration::from_secs(30);

/// Which cluster to use: the command line's flags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterOptions {
    /// Kubeconfig file; else `$KUBECONFIG`, else `~/.kube/config`, else the in-cluster service account.
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig; else its current one.
    pub context: Option<String>,
    /// Default namespace; else the context's, else `default`.
    pub namespace: Option<String>,
}

/// A server that can be asked.
pub struct Connected {
    /// The shared connection pool.
    pub client: Client,
    /// A pool that brings no credentials of its own, for callers who bring theirs.
    pub bare: Option<Client>,
    /// Namespace of calls that name none.
    pub namespace: String,
    /// Further namespaces that the kubeconfig names for this cluster.
    pub namespaces: Vec<String>,
    /// The server's address, for messages.
    pub server: String,
    /// Where the credentials came from, for messages.
    pub origin: String,
    /// As whom the process acts.
    pub identity: Identity,
}

impl std::fmt::Debug for Connected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connected")
            .field("server", &self.server)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// The cluster of a process. Nothing is read or connected before the first request; a failure is not remembered, so a
/// kubeconfig that appears later is found.
#[derive(Debug)]
pub struct Cluster {
    options: ClusterOptions,
    acts: ActAs,
    connecting: Mutex<()>,
    connected: OnceLock<Arc<Connected>>,
}

impl Cluster {
    /// A cluster that is found by a kubeconfig when it is first needed.
    pub fn lazy(options: ClusterOptions) -> Self {
        Self {
            options,
            acts: ActAs::Own,
            connecting: Mutex::new(()),
            connected: OnceLock::new(),
        }
    }

    /// As whom requests of callers go to the API server. A ready client for [`ActAs::Token`] must bring no credentials.
    pub fn acting(mut self, acts: ActAs) -> Self {
        self.acts = acts;
        self
    }

    /// As whom requests of callers go to the API server.
    pub(super) fn acts(&self) -> &ActAs {
        &self.acts
    }

    /// A cluster behind a ready client: the sandbox, or an embedder's own.
    pub fn ready(client: Client, namespace: impl Into<String>, server: impl Into<String>) -> Self {
        let namespace = namespace.into();
        let server = server.into();
        let origin = server.clone();
        let connected = Connected {
            bare: None,
            client,
            namespace,
            namespaces: Vec::new(),
            server,
            origin,
            identity: Identity::local(),
        };
        Self {
            options: ClusterOptions::default(),
            acts: ActAs::Own,
            connecting: Mutex::new(()),
            connected: OnceLock::from(Arc::new(connected)),
        }
    }

    /// The server in words, as far as it is known without reading anything.
    pub fn describe(&self) -> String {
        match self.connected.get() {
            Some(connected) => connected.server.clone(),
            None => "the Kubernetes API server".into(),
        }
    }

    /// As whom the process acts, once it has connected.
    pub(super) fn identity(&self) -> Option<Identity> {
        self.connected.get().map(|connected| connected.identity.clone())
    }

    /// What `--namespace` said: the default that needs no kubeconfig.
    pub fn configured_namespace(&self) -> Option<&str> {
        self.options.namespace.as_deref()
    }

    /// The server, found on first use.
    pub(super) async fn connect(&self, asked: &Asked) -> Result<Arc<Connected>, KubeError> {
        if let Some(connected) = self.connected.get() {
            return Ok(Arc::clone(connected));
        }
        let _one_at_a_time = self.connecting.lock().await;
        if let Some(connected) = self.connected.get() {
            return Ok(Arc::clone(connected));
        }
        let connected = Arc::new(connect(&self.options, &self.acts).await.map_err(|tried| KubeError {
            asked: asked.words(),
            server: self.describe(),
            namespace: asked.namespace.clone(),
            cause: Cause::NoConfig(tried),
        })?);
        tracing::info!(server = %connected.server, origin = %connected.origin, "connected");
        Ok(Arc::clone(self.connected.get_or_init(|| connected)))
    }
}

async fn connect(options: &ClusterOptions, acts: &ActAs) -> Result<Connected, String> {
    let Loaded {
        mut config,
        origin,
        namespaces,
        identity,
    } = load(options).await?;
    config.connect_timeout = Some(CONNECT);
    if let Some(namespace) = &options.namespace {
        config.default_namespace.clone_from(namespace);
    }
    let namespace = config.default_namespace.clone();
    let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
    let callers_bring_tokens = matches!(acts, ActAs::Token);
    let bare = callers_bring_tokens.then(|| {
        let mut bare = config.clone();
        bare.auth_info = AuthInfo::default();
        bare
    });
    // Credential plugins run as blocking child processes: on a thread of their own, or they would hold up every call.
    let clients = tokio::task::spawn_blocking(move || {
        let bare = bare.map(client).transpose()?;
        client(config).map(|client| (client, bare))
    });
    let clients = clients
        .await
        .map_err(|error| error.to_string())
        .and_then(|made| made.map_err(|error| error.to_string()));
    let (client, bare) = clients.map_err(|error| format!("{origin} cannot be used: {error}"))?;
    Ok(Connected {
        client,
        bare,
        namespace,
        namespaces,
        server,
        origin,
        identity,
    })
}

/// What a kubeconfig, or the pod, says of the cluster.
struct Loaded {
    config: Config,
    origin: String,
    namespaces: Vec<String>,
    identity: Identity,
}

async fn load(options: &ClusterOptions) -> Result<Loaded, String> {
    let files = candidates(options);
    let there: Vec<&PathBuf> = files.iter().filter(|file| file.exists()).collect();
    if there.is_empty() {
        let tried: Vec<String> = files
            .iter()
            .map(|file| format!("{} does not exist", file.display()))
            .collect();
        let tried = if tried.is_empty() {
            "neither KUBECONFIG nor HOME is set".to_owned()
        } else {
            tried.join(", ")
        };
        if options.kubeconfig.is_some() || std::env::var_os("KUBECONFIG").is_some() {
            return Err(format!("no kubeconfig: {tried}"));
        }
        return match Config::incluster() {
            Ok(config) => Ok(in_pod(config)),
            Err(_) => Err(format!(
                "no kubeconfig: {tried}, and this is not a pod with a service account"
            )),
        };
    }
    let origin = there
        .iter()
        .map(|file| file.display().to_string())
        .collect::<Vec<_>>()
        .join(", ");
    let mut merged = Kubeconfig::default();
    for file in there {
        let next = Kubeconfig::read_from(file).map_err(|error| unreadable(file, &error))?;
        merged = merged.merge(next).map_err(|error| unreadable(file, &error))?;
    }
    for exec in merged
        .auth_infos
        .iter_mut()
        .filter_map(|user| user.auth_info.as_mut()?.exec.as_mut())
    {
        // Standard input is MCP's: a plugin that asks a person there would eat the protocol.
        exec.interactive_mode = Some(ExecInteractiveMode::Never);
    }
    let namespaces = namespaces_of(&merged, options.context.as_deref());
    let identity = identity::of_kubeconfig(&merged, options.context.as_deref());
    let choice = KubeConfigOptions {
        context: options.context.clone(),
        ..KubeConfigOptions::default()
    };
    let contexts: Vec<String> = merged.contexts.iter().map(|context| context.name.clone()).collect();
    let config = Config::from_custom_kubeconfig(merged, &choice)
        .await
        .map_err(|error| format!("kubeconfig {origin}: {error} (contexts there: {})", contexts.join(", ")))?;
    Ok(Loaded {
        config,
        origin: format!("kubeconfig {origin}"),
        namespaces,
        identity,
    })
}

fn in_pod(config: Config) -> Loaded {
    let token = config
        .auth_info
        .token_file
        .as_ref()
        .and_then(|file| std::fs::read_to_string(file).ok());
    Loaded {
        identity: identity::of_pod(&token.unwrap_or_default()),
        config,
        origin: "the in-cluster service account".into(),
        namespaces: Vec::new(),
    }
}

/// The namespaces that the contexts of the chosen context's cluster name.
fn namespaces_of(kubeconfig: &Kubeconfig, chosen: Option<&str>) -> Vec<String> {
    let chosen = chosen.or(kubeconfig.current_context.as_deref());
    let contexts = || {
        kubeconfig
            .contexts
            .iter()
            .filter_map(|named| Some((named.name.as_str(), named.context.as_ref()?)))
    };
    let cluster = contexts()
        .find(|(name, _)| Some(*name) == chosen)
        .map(|(_, context)| context.cluster.as_str());
    let same = contexts().filter(|(_, context)| Some(context.cluster.as_str()) == cluster);
    same.filter_map(|(_, context)| context.namespace.clone()).collect()
}

fn unreadable(file: &Path, error: &impl std::fmt::Display) -> String {
    format!(
        "kubeconfig {} cannot be read: {}",
        file.display(),
        crate::text::bounded(&error.to_string(), 300)
    )
}

/// The files a kubeconfig is looked for in, by the rules of kubectl.
fn candidates(options: &ClusterOptions) -> Vec<PathBuf> {
    if let Some(file) = &options.kubeconfig {
        return vec![file.clone()];
    }
    match std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty()) {
        Some(list) => std::env::split_paths(&list)
            .filter(|path| !path.as_os_str().is_empty())
            .collect(),
        None => std::env::home_dir()
            .map(|home| home.join(".kube/config"))
            .into_iter()
            .collect(),
    }
}

/// The shared pool: HTTP/2 where TLS negotiates it, else HTTP/1.1 keep-alive, gzip, and kube's own credential layers.
/// No client-side throttle, and no retries: deadlines are short, and a tool says what happened.
fn client(mut config: Config) -> kube::Result<Client> {
    config.default_retry = false;
    if config.proxy_url.is_some() {
        // kube knows proxies and what they except; it speaks HTTP/1.1 through them.
        return Client::try_from(config);
    }
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(ALIVE));
    tcp.set_connect_timeout(config.connect_timeout);
    let mut tls = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(config.rustls_client_config()?)
        .https_or_http();
    if let Some(name) = config.tls_server_name.clone().and_then(|name| name.try_into().ok()) {
        tls = tls.with_server_name_resolver(hyper_rustls::FixedServerNameResolver::new(name));
    }
    let connector = tls.enable_all_versions().wrap_connector(tcp);
    // Pings notice a connection that died without a word (a laptop that slept, a NAT that forgot).
    let pool: hyper_util::client::legacy::Client<_, Body> =
        hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .http2_keep_alive_interval(ALIVE)
            .http2_keep_alive_timeout(Duration::from_secs(5))
            .http2_keep_alive_while_idle(true)
            .build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .layer(
            DecompressionLayer::new()
                .no_br()
                .no_deflate()
                .no_zstd()
                .gzip(!config.disable_compression),
        )
        .map_err(BoxError::from)
        .service(pool);
    Ok(Client::new(service, config.default_namespace.clone()))
}
