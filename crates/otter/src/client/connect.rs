//! How a command reaches the server, and what it says who it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use otter_contract::admin::v1::dead_letter_service_client::DeadLetterServiceClient;
use otter_contract::admin::v1::lock_service_client::LockServiceClient;
use otter_contract::admin::v1::provider_service_client::ProviderServiceClient;
use otter_contract::admin::v1::rate_service_client::RateServiceClient;
use otter_contract::v1::otp_service_client::OtpServiceClient;
use otter_domain::Secret;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Uri};
use tonic::{Request, Status};

use super::failure::Failure;
use super::values::{secret, span};
use crate::show::Format;

/// Where the server is and who asks. The same for all client commands.
#[derive(Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// The server's address: http://HOST:PORT, or https://HOST:PORT for TLS
    #[arg(long, env = "OTTER_SERVER", value_name = "URL", default_value = "http://127.0.0.1:50051")]
    server: String,
    /// The API key; prefer the variable, because others can see a command's options
    #[arg(long, env = "OTTER_API_KEY", hide_env_values = true, value_name = "KEY", value_parser = secret)]
    api_key: Option<Secret>,
    /// The certificates to trust, a PEM file, instead of the system's
    #[arg(long, env = "OTTER_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The certificate to show to the server, a PEM file
    #[arg(long, env = "OTTER_CERT", value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The private key of --cert, a PEM file
    #[arg(long, env = "OTTER_KEY", value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// How long to wait for an answer; for what is followed, for its beginning
    #[arg(long, value_name = "SPAN", default_value = "10s", value_parser = span)]
    timeout: Duration,
    /// Print one JSON object per answer or event, as protobuf's JSON mapping has it
    #[arg(long)]
    json: bool,
}

/// The connection with the caller's credentials.
pub(crate) type Wire = InterceptedService<Channel, Credentials>;

/// A connection to the server.
#[derive(Debug)]
pub(crate) struct Caller {
    wire: Wire,
    timeout: Duration,
}

/// What every request carries to say who asks.
#[derive(Debug, Clone)]
pub(crate) struct Credentials(Option<MetadataValue<Ascii>>);

impl Interceptor for Credentials {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(bearer) = &self.0 {
            request.metadata_mut().insert("authorization", bearer.clone());
        }
        Ok(request)
    }
}

impl Connection {
    /// For whom the command writes.
    pub(crate) fn format(&self) -> Format {
        if self.json { Format::Json } else { Format::Human }
    }

    /// Connects.
    pub(crate) async fn open(&self) -> Result<Caller, Failure> {
        let credentials = self.credentials()?;
        let endpoint = self.endpoint()?;
        let channel = endpoint.connect().await.map_err(|error| Failure::unreachable(&self.server, &error))?;
        Ok(Caller { wire: InterceptedService::new(channel, credentials), timeout: self.timeout })
    }

    fn credentials(&self) -> Result<Credentials, Failure> {
        let Some(key) = &self.api_key else { return Ok(Credentials(None)) };
        let mut bearer: MetadataValue<Ascii> = format!("Bearer {}", key.reveal())
            .parse()
            .map_err(|_| Failure::Invalid("--api-key must be visible ASCII characters".to_owned()))?;
        bearer.set_sensitive(true);
        Ok(Credentials(Some(bearer)))
    }

    fn endpoint(&self) -> Result<Endpoint, Failure> {
        let invalid =
            || Failure::Invalid("--server must be http://HOST:PORT or https://HOST:PORT".to_owned());
        let uri: Uri = self.server.parse().map_err(|_| invalid())?;
        // A name and password would be printed with the address when it cannot be reached.
        let is_plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        if !is_plain || uri.path().len() > 1 || uri.query().is_some() {
            return Err(invalid());
        }
        let scheme = uri.scheme_str().unwrap_or_default().to_owned();
        let endpoint = Endpoint::from(uri).connect_timeout(self.timeout);
        match scheme.as_str() {
            "http" if self.ca.is_some() || self.cert.is_some() => Err(Failure::Invalid(
                "--ca, --cert and --key need an https:// address in --server".to_owned(),
            )),
            "http" => Ok(endpoint),
            "https" => endpoint.tls_config(self.tls()?).map_err(|error| {
                // The error of a wrong PEM file comes here without the file's name.
                Failure::Invalid(format!("--ca, --cert or --key cannot be used: {error}"))
            }),
            _ => Err(invalid()),
        }
    }

    fn tls(&self) -> Result<ClientTlsConfig, Failure> {
        let mut tls = ClientTlsConfig::new();
        tls = match &self.ca {
            Some(file) => tls.ca_certificate(Certificate::from_pem(read("--ca", file)?)),
            None => tls.with_native_roots(),
        };
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            tls = tls.identity(Identity::from_pem(read("--cert", cert)?, read("--key", key)?));
        }
        Ok(tls)
    }
}

fn read(option: &str, file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file)
        .map_err(|error| Failure::Invalid(format!("{option}: cannot read {}: {error}", file.display())))
}

impl Caller {
    /// The service that sends and checks.
    pub(crate) fn otp(&self) -> OtpServiceClient<Wire> {
        OtpServiceClient::new(self.wire.clone())
    }

    /// The service that knows rates.
    pub(crate) fn rates(&self) -> RateServiceClient<Wire> {
        RateServiceClient::new(self.wire.clone())
    }

    /// The service that knows providers.
    pub(crate) fn providers(&self) -> ProviderServiceClient<Wire> {
        ProviderServiceClient::new(self.wire.clone())
    }

    /// The service that knows dead letters.
    pub(crate) fn dead_letters(&self) -> DeadLetterServiceClient<Wire> {
        DeadLetterServiceClient::new(self.wire.clone())
    }

    /// The service that knows what wrong codes keep back.
    pub(crate) fn locks(&self) -> LockServiceClient<Wire> {
        LockServiceClient::new(self.wire.clone())
    }

    /// A request with the deadline of an answer.
    pub(crate) fn request<M>(&self, message: M) -> Request<M> {
        let mut request = Request::new(message);
        request.set_timeout(self.timeout);
        request
    }

    /// Waits for a stream to begin. The request itself has no deadline, because the stream has none.
    pub(crate) async fn begin<S>(&self, call: impl Future<Output = Result<S, Status>>) -> Result<S, Failure> {
        let begun = tokio::time::timeout(self.timeout, call).await.map_err(|_| Failure::TooLate)?;
        Ok(begun?)
    }
}
