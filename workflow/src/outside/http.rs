//! HTTP requests to servers that the configurer of a workflow names.
//!
//! A name is resolved here, and the connection goes to one of the addresses that were checked, so a second answer of the name
//! server cannot lead elsewhere. Redirects are followed here too, each checked like the first address. What comes back is
//! bounded in size and time. Nothing of a request is logged: headers, bodies and URLs hold secrets.

use std::{
    error::Error,
    fmt,
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};

use reqwest::{
    Body, Client, Method, StatusCode, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{HeaderMap, LOCATION},
    redirect::Policy,
};

use super::{Permission, address::is_public};

/// Redirects followed: enough for http to https, to a canonical name, and to a sign-in's way back.
const MAX_REDIRECTS: usize = 5;

/// How long a connection may take to be made; a server that is there answers far sooner.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A request to be sent.
#[derive(Clone)]
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// Sent to the first server and to those of the same origin, never to others.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Vec<u8>>,
    /// From the first name lookup to the last byte of the answer.
    pub(crate) timeout: Duration,
    /// The longest body that is read.
    pub(crate) max_bytes: usize,
}

/// What came back.
pub(crate) struct Incoming {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// Why nothing usable came back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// The operator does not let requests go there.
    #[error("{0} is not a public address, and requests to others are not allowed here")]
    NotPublic(String),
    /// Neither http nor https, or without a server.
    #[error("only http and https requests can be sent")]
    Scheme,
    /// More redirects than anybody needs.
    #[error("the server redirected more than {MAX_REDIRECTS} times")]
    TooManyRedirects,
    /// A redirect without a usable address.
    #[error("the server redirected to an address that cannot be read")]
    BadRedirect,
    /// Too slow.
    #[error("there was no complete answer within {0} ms")]
    Timeout(u128),
    /// Too much.
    #[error("the answer is longer than {0} bytes")]
    TooLarge(usize),
    /// Not reached, or broken off.
    #[error("the request failed: {0}")]
    Failed(String),
}

/// Sends requests. Connections are kept and shared.
pub(crate) struct HttpClient {
    private: Permission,
    /// Made when it is first needed, because reading the system's certificates takes a while.
    client: OnceLock<Client>,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("private", &self.private).finish_non_exhaustive()
    }
}

impl Default for HttpClient {
    fn default() -> Self {
        Self::new(Permission::Denied)
    }
}

impl HttpClient {
    pub(crate) fn new(private: Permission) -> Self {
        Self { private, client: OnceLock::new() }
    }

    /// Sends a request and reads the answer, following redirects.
    pub(crate) async fn send(&self, request: Outgoing) -> Result<Incoming, HttpError> {
        let timeout = request.timeout;
        match tokio::time::timeout(timeout, self.follow(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(HttpError::Timeout(timeout.as_millis())),
        }
    }

    async fn follow(&self, mut request: Outgoing) -> Result<Incoming, HttpError> {
        for _ in 0..=MAX_REDIRECTS {
            self.check(&request.url)?;
            let answer = self.send_once(&request).await?;
            if !is_redirect(answer.status()) {
                return read(answer, request.max_bytes).await;
            }
            let Some(location) = answer.headers().get(LOCATION) else { return read(answer, request.max_bytes).await };
            let location = location.to_str().map_err(|_| HttpError::BadRedirect)?;
            let next = request.url.join(location).map_err(|_| HttpError::BadRedirect)?;
            request = request.redirected(answer.status(), next);
        }
        Err(HttpError::TooManyRedirects)
    }

    /// Checks what the connector will not look up: the scheme, and addresses that stand in the URL themselves.
    fn check(&self, url: &Url) -> Result<(), HttpError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(HttpError::Scheme);
        }
        let host = url.host_str().ok_or(HttpError::Scheme)?;
        match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            Ok(address) if self.private == Permission::Denied && !is_public(address) => {
                Err(HttpError::NotPublic(host.to_owned()))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    async fn send_once(&self, request: &Outgoing) -> Result<reqwest::Response, HttpError> {
        let mut builder = self.client()?.request(request.method.clone(), request.url.clone());
        builder = builder.headers(request.headers.clone());
        if let Some(body) = &request.body {
            builder = builder.body(Body::from(body.clone()));
        }
        builder.send().await.map_err(|error| failed(&error))
    }

    fn client(&self) -> Result<&Client, HttpError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = Client::builder()
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            // A proxy would look names up by itself.
            .no_proxy()
            .dns_resolver(Arc::new(Resolver { private: self.private }))
            .user_agent(concat!("host-demo/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| failed(&error))?;
        Ok(self.client.get_or_init(|| client))
    }
}

impl Outgoing {
    /// The request that follows a redirect. To another origin nothing goes that was meant for the first one.
    fn redirected(mut self, status: StatusCode, next: Url) -> Self {
        if self.url.origin() != next.origin() {
            self.headers.clear();
        }
        let keeps_method = matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
        if !keeps_method && !matches!(self.method, Method::GET | Method::HEAD) {
            self.method = Method::GET;
            self.body = None;
            self.headers.remove(reqwest::header::CONTENT_TYPE);
        }
        Self { url: next, ..self }
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    )
}

async fn read(mut answer: reqwest::Response, max_bytes: usize) -> Result<Incoming, HttpError> {
    let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| failed(&error))? {
        if body.len() + chunk.len() > max_bytes {
            return Err(HttpError::TooLarge(max_bytes));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Incoming { status, headers, body })
}

/// The innermost reason: the outer ones name the URL, which may hold secrets.
fn failed(error: &reqwest::Error) -> HttpError {
    let mut reason: &dyn Error = error;
    while let Some(source) = reason.source() {
        reason = source;
        if let Some(NotPublic(host)) = reason.downcast_ref() {
            return HttpError::NotPublic(host.clone());
        }
    }
    if error.source().is_none() {
        return HttpError::Failed("it could not be sent".to_owned());
    }
    HttpError::Failed(reason.to_string())
}

/// A name that leads to no public address.
#[derive(Debug, thiserror::Error)]
#[error("{0} leads to no public address")]
struct NotPublic(String);

/// Looks names up with the system's resolver and keeps the addresses that may be connected to.
struct Resolver {
    private: Permission,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let private = self.private;
        Box::pin(async move {
            // The connector sets the port.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> =
                found.filter(|address| private == Permission::Granted || is_public(address.ip())).collect();
            if allowed.is_empty() {
                return Err(Box::new(NotPublic(name.as_str().to_owned())) as Box<dyn Error + Send + Sync>);
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}
