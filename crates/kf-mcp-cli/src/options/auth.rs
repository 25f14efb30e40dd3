//! The options about callers over HTTP.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

/// Who may call over HTTP, and as whom calls act on the cluster.
#[derive(Debug, Args)]
#[command(next_help_heading = "Callers over HTTP")]
pub(crate) struct AuthOptions {
    /// Bearer token that callers over HTTP must have. Others on the machine see command lines: rather use KUBEFLOW_MCP_AUTH_TOKEN.
    #[arg(long, value_name = "TOKEN")]
    auth_token: Option<String>,
    /// File of bearer tokens with names and personas, or with one token.
    #[arg(long, value_name = "FILE")]
    auth_token_file: Option<PathBuf>,
    /// Serve other machines without asking who calls.
    #[arg(long)]
    allow_unauthenticated: bool,
    /// Where the public keys of the issuer of JSON web tokens are.
    #[arg(long, value_name = "URL")]
    jwks_uri: Option<String>,
    /// Issuer whose JSON web tokens are accepted [key: jwt.issuer].
    #[arg(long, value_name = "ISSUER")]
    jwt_issuer: Option<String>,
    /// Whom they must be meant for, one of these, separated by commas [key: jwt.audience].
    #[arg(long, value_name = "AUDIENCES")]
    jwt_audience: Option<String>,
    /// Claim with the name of the user, or a JSON pointer to it [default: sub; key: jwt.user_claim].
    #[arg(long, value_name = "CLAIM")]
    jwt_user_claim: Option<String>,
    /// What is put before the name of the user [key: jwt.user_prefix].
    #[arg(long, value_name = "PREFIX")]
    jwt_user_prefix: Option<String>,
    /// Claim with the groups, or a JSON pointer to it [default: groups; key: jwt.groups_claim].
    #[arg(long, value_name = "CLAIM")]
    jwt_groups_claim: Option<String>,
    /// What is put before the names of the groups [key: jwt.groups_prefix].
    #[arg(long, value_name = "PREFIX")]
    jwt_groups_prefix: Option<String>,
    /// Seconds that clocks may be apart [default: 30; key: jwt.leeway].
    #[arg(long, value_name = "SECONDS")]
    jwt_leeway: Option<u64>,
    /// Accept tokens of the cluster, of which the API server says whose they are.
    #[arg(long)]
    token_review: bool,
    /// Whom such tokens must be meant for, separated by commas [default: the API server].
    #[arg(long, value_name = "AUDIENCES")]
    token_review_audience: Option<String>,
    /// Where proxies are that say in x-forwarded-user, x-forwarded-groups or kubeflow-userid who calls: networks, or mtls for
    /// all that have a certificate of --tls-client-ca, separated by commas.
    #[arg(long, value_name = "NETWORKS")]
    trusted_proxy: Option<String>,
    /// File with a secret that such a proxy sends in x-trusted-proxy-secret.
    #[arg(long, value_name = "FILE")]
    trusted_proxy_secret_file: Option<PathBuf>,
    /// Who has which persona: scope:NAME=persona, group:NAME=persona or user:NAME=persona, separated by commas; the first that
    /// fits counts [default: scope:kubeflow:admin=platform-admin,scope:kubeflow:write=ml-engineer,scope:kubeflow:read=readonly].
    #[arg(long, value_name = "LIST")]
    auth_personas: Option<String>,
    /// URL at which clients know the MCP endpoint, for those that ask where tokens come from [default: the https audience].
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// As whom calls act on the cluster: own (the kubeconfig or service account), impersonate (the caller) or token (the
    /// caller, with their own token of the cluster) [default: own].
    #[arg(long, value_name = "IDENTITY")]
    identity: Option<String>,
    /// Groups of callers that are handed on with --identity impersonate: patterns, separated by commas [default: none; key:
    /// impersonate.groups].
    #[arg(long, value_name = "PATTERNS")]
    impersonate_groups: Option<String>,
    /// Keys of further facts, as the API server told them, that are handed on [default: none; key: impersonate.extra].
    #[arg(long, value_name = "KEYS")]
    impersonate_extra: Option<String>,
    /// Certificate that the listener shows, with those between it and its authority (PEM) [key: tls.cert].
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Its private key (PEM) [key: tls.key].
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Authorities, of one of which every client must have a certificate (PEM) [key: tls.client_ca].
    #[arg(long, value_name = "FILE")]
    tls_client_ca: Option<PathBuf>,
}

impl AuthOptions {
    /// What was said on the command line, as configuration keys.
    pub(super) fn flags(&self) -> impl Iterator<Item = (String, Value)> {
        let text = |given: &Option<String>| given.as_ref().map(|given| json!(given));
        let path = |given: &Option<PathBuf>| given.as_ref().map(|path| json!(path.display().to_string()));
        let switch = |given: bool| given.then_some(json!(true));
        [
            ("auth_token", text(&self.auth_token)),
            ("auth_token_file", path(&self.auth_token_file)),
            ("allow_unauthenticated", switch(self.allow_unauthenticated)),
            ("jwks_uri", text(&self.jwks_uri)),
            ("jwt.issuer", text(&self.jwt_issuer)),
            ("jwt.audience", text(&self.jwt_audience)),
            ("jwt.user_claim", text(&self.jwt_user_claim)),
            ("jwt.user_prefix", text(&self.jwt_user_prefix)),
            ("jwt.groups_claim", text(&self.jwt_groups_claim)),
            ("jwt.groups_prefix", text(&self.jwt_groups_prefix)),
            ("jwt.leeway", self.jwt_leeway.map(|seconds| json!(seconds))),
            ("token_review", switch(self.token_review)),
            ("token_review_audience", text(&self.token_review_audience)),
            ("trusted_proxy", text(&self.trusted_proxy)),
            ("trusted_proxy_secret_file", path(&self.trusted_proxy_secret_file)),
            ("auth_personas", text(&self.auth_personas)),
            ("public_url", text(&self.public_url)),
            ("identity", text(&self.identity)),
            ("impersonate.groups", text(&self.impersonate_groups)),
            ("impersonate.extra", text(&self.impersonate_extra)),
            ("tls.cert", path(&self.tls_cert)),
            ("tls.key", path(&self.tls_key)),
            ("tls.client_ca", path(&self.tls_client_ca)),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)))
    }
}
