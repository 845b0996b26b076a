//! Where the servers are and how they are spoken to: `store.url` and what belongs to it.

use std::fmt;
use std::time::Duration;

use otter_domain::Secret;
use otter_store::Error;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, IntoConnectionInfo, ProtocolVersion,
    PushInfo, RedisConnectionInfo, RedisError, TlsCertificates,
};

use crate::{Credentials, Options, Tls};

/// What an address may be.
const EXPECTED: &str = "the address must be redis://[[user]:password@]host[:port][/database], \
     redis-sentinel://[[user]:password@]host[:port],host[:port]/service[/database] or \
     redis-cluster://[[user]:password@]host[:port],host[:port]; with rediss in place of redis for TLS";

const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// One server, by the name under which it is reached.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Server {
    /// Reads `host[:port]` or `[v6][:port]`; the host may be empty only if `port` is given.
    pub(crate) fn parse(text: &str, port: u16) -> Option<Self> {
        if let Some(rest) = text.strip_prefix('[') {
            let (host, rest) = rest.split_once(']')?;
            let port = if rest.is_empty() { port } else { parse_port(rest.strip_prefix(':')?)? };
            return (!host.is_empty()).then(|| Self { host: host.to_owned(), port });
        }
        match text.rsplit_once(':') {
            Some((host, port)) => Some(Self { host: host.to_owned(), port: parse_port(port)? }),
            None if text.is_empty() => None,
            None => Some(Self { host: text.to_owned(), port }),
        }
    }
}

fn parse_port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port != 0)
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// How the servers belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One server, for better or worse.
    Alone,
    /// One primary of several servers, named by sentinels.
    Sentinel { service: String },
    /// Several primaries, each with slots of its own.
    Cluster,
}

/// `store.url`, read.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) shape: Shape,
    /// The server itself, the sentinels, or some servers of the cluster; never empty.
    pub(crate) servers: Vec<Server>,
    encrypted: bool,
    credentials: Credentials,
    database: u16,
}

impl Address {
    /// Reads an address. What is refused is not repeated, as it may hold a password.
    pub(crate) fn parse(url: &Secret) -> Result<Self, Error> {
        parse(url.reveal()).ok_or_else(|| Error::Unsuitable { why: EXPECTED.to_owned() })
    }
}

fn parse(url: &str) -> Option<Address> {
    let (scheme, rest) = url.split_once("://")?;
    let (encrypted, kind) = match scheme.split_once('-') {
        None => (scheme, None),
        Some((scheme, kind)) => (scheme, Some(kind)),
    };
    let encrypted = match encrypted {
        "redis" => false,
        "rediss" => true,
        _ => return None,
    };
    if rest.contains(['?', '#']) {
        return None;
    }
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (credentials, hosts) = match authority.rsplit_once('@') {
        Some((credentials, hosts)) => (parse_credentials(credentials)?, hosts),
        None => (Credentials::default(), authority),
    };
    let (shape, database) = match kind {
        None => (Shape::Alone, parse_database(path)?),
        Some("cluster") => (Shape::Cluster, parse_database(path).filter(|database| *database == 0)?),
        Some("sentinel") => {
            let (service, database) = path.split_once('/').unwrap_or((path, ""));
            let service = decoded(service).filter(|service| !service.is_empty())?;
            (Shape::Sentinel { service }, parse_database(database)?)
        }
        Some(_) => return None,
    };
    let port = if kind == Some("sentinel") { SENTINEL_PORT } else { PORT };
    let server = |text| Server::parse(text, port).filter(|server| !server.host.is_empty());
    let servers: Vec<Server> = hosts.split(',').map(server).collect::<Option<_>>()?;
    if shape == Shape::Alone && servers.len() != 1 {
        return None;
    }
    Some(Address { shape, servers, encrypted, credentials, database })
}

fn parse_credentials(text: &str) -> Option<Credentials> {
    let (user, password) = text.split_once(':')?;
    let user = decoded(user)?;
    let password = decoded(password).filter(|password| !password.is_empty())?;
    Some(Credentials { user: (!user.is_empty()).then_some(user), password: Some(Secret::new(password)) })
}

fn parse_database(path: &str) -> Option<u16> {
    if path.is_empty() { Some(0) } else { path.parse().ok() }
}

/// The text with its %XX replaced.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = others;
            continue;
        }
        let digits = std::str::from_utf8(others.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &others[2..];
    }
    String::from_utf8(bytes).ok()
}

/// How servers are spoken to: who we are, and through what.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    credentials: Credentials,
    database: u16,
    encryption: Option<TlsCertificates>,
    patience: Duration,
}

impl Access {
    /// To the servers that hold data.
    pub(crate) fn to_data(address: &Address, options: &Options) -> Result<Self, Error> {
        let encryption = address.encrypted.then(|| certificates(&options.tls));
        let access = Self {
            credentials: address.credentials.clone(),
            database: address.database,
            encryption,
            patience: options.response_timeout,
        };
        // What is wrong with the certificates is said now and not at the first lost connection.
        access.client(&address.servers[0], ProtocolVersion::RESP3).map_err(|error| Error::Unsuitable {
            why: format!("the certificates for the store's servers cannot be used: {error}"),
        })?;
        Ok(access)
    }

    /// To sentinels, which have credentials of their own.
    pub(crate) fn to_sentinels(&self, options: &Options) -> Self {
        Self { credentials: options.sentinel.clone(), database: 0, ..self.clone() }
    }

    /// How long one step of a conversation may take.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// Connects. With RESP3 the server's goodbye is noticed when it comes, not when the next call fails; `hear` is
    /// told of it and of whatever else the server says unasked.
    pub(crate) async fn connect(
        &self,
        server: &Server,
        hear: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Result<MultiplexedConnection, RedisError> {
        let client = self.client(server, ProtocolVersion::RESP3)?;
        let hear = move |push: PushInfo| {
            hear(push);
            Ok::<_, std::convert::Infallible>(())
        };
        client.get_multiplexed_async_connection_with_config(&self.config().set_push_sender(hear)).await
    }

    /// Connects for a few questions.
    pub(crate) async fn connect_briefly(&self, server: &Server) -> Result<MultiplexedConnection, RedisError> {
        let client = self.client(server, ProtocolVersion::RESP2)?;
        client.get_multiplexed_async_connection_with_config(&self.config()).await
    }

    fn config(&self) -> AsyncConnectionConfig {
        AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.patience))
            .set_response_timeout(Some(self.patience))
    }

    fn client(&self, server: &Server, protocol: ProtocolVersion) -> Result<Client, RedisError> {
        let (host, port) = (server.host.clone(), server.port);
        let mut settings =
            RedisConnectionInfo::default().set_protocol(protocol).set_db(i64::from(self.database));
        if let Some(user) = &self.credentials.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &self.credentials.password {
            settings = settings.set_password(password.reveal());
        }
        let connection = |address: ConnectionAddr| {
            address.into_connection_info().map(|info| info.set_redis_settings(settings))
        };
        match &self.encryption {
            None => Client::open(connection(ConnectionAddr::Tcp(host, port))?),
            Some(certificates) => {
                let address = ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None };
                Client::build_with_tls(connection(address)?, certificates.clone())
            }
        }
    }
}

fn certificates(tls: &Tls) -> TlsCertificates {
    let client_tls = tls.identity.as_ref().map(|identity| ClientTlsConfig {
        client_cert: identity.certificate.clone().into_bytes(),
        client_key: identity.key.reveal().as_bytes().to_vec(),
    });
    TlsCertificates { client_tls, root_cert: tls.ca.clone().map(String::into_bytes) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn server(host: &str, port: u16) -> Server {
        Server { host: host.to_owned(), port }
    }

    fn parsed(url: &str) -> Address {
        Address::parse(&Secret::new(url)).unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    #[test]
    fn every_shape_of_address_is_understood() {
        let alone = parsed("redis://redis.example:6380/3");
        assert_eq!((alone.shape, alone.database, alone.encrypted), (Shape::Alone, 3, false));
        assert_eq!(alone.servers, [server("redis.example", 6380)]);

        let sentinel = parsed("rediss-sentinel://otter:pass%40word@a,b:26380,[::1]:5/mymaster/2");
        assert_eq!(sentinel.shape, Shape::Sentinel { service: "mymaster".to_owned() });
        assert_eq!(sentinel.servers, [server("a", 26379), server("b", 26380), server("::1", 5)]);
        assert_eq!((sentinel.database, sentinel.encrypted), (2, true));
        assert_eq!(sentinel.credentials.user.as_deref(), Some("otter"));
        assert_eq!(sentinel.credentials.password.unwrap().reveal(), "pass@word");

        let cluster = parsed("redis-cluster://:secret@one,two:7000");
        assert_eq!((cluster.shape, cluster.credentials.user), (Shape::Cluster, None));
        assert_eq!(cluster.servers, [server("one", 6379), server("two", 7000)]);
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_repeated() {
        let bad = [
            "http://hunter2@host",
            "redis://",
            "redis://:hunter2@",
            "redis://hunter2@host",
            "redis://user:@host/hunter2",
            "redis://:hunter2@one,two",
            "redis://:hunter2@host:0",
            "redis://:hunter2@host:port",
            "redis://:hunter2@host/0?protocol=resp2",
            "rediss://:hunter2@host#insecure",
            "redis://:hunter%2@host",
            "redis://:hunter2/@host",
            "redis-sentinel://:hunter2@a,b",
            "redis-sentinel://:hunter2@a,/service",
            "redis-cluster://:hunter2@a/1",
            "redis-ring://:hunter2@a",
        ];
        for url in bad {
            let refused = Address::parse(&Secret::new(url)).unwrap_err().to_string();
            assert!(refused.contains("must be redis://") && !refused.contains("hunter2"), "{url}: {refused}");
        }
    }
}
