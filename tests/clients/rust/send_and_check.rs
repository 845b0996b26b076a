//! Sends a code to NUMBER, asks the person for it, and checks it.
//!
//! Exits with 0 if the person proved to have the phone, 1 if not, 2 if the service refused to try.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a program of its own"
)]

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use otter_contract::v1::otp_service_client::OtpServiceClient;
use otter_contract::v1::{CheckOtpRequest, CheckOutcome, SendOtpRequest};
use tonic::Request;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use uuid::Uuid;

#[tokio::main]
async fn main() -> ExitCode {
    let server = std::env::var("OTTER_SERVER").unwrap_or_else(|_| "http://127.0.0.1:50051".to_owned());
    let api_key = std::env::var("OTTER_API_KEY").unwrap_or_default();
    let number = std::env::args().nth(1).unwrap_or_default();
    match is_verified(server, &api_key, number).await {
        Ok(true) => {
            println!("verified");
            ExitCode::SUCCESS
        }
        Ok(false) => {
            println!("not verified");
            ExitCode::from(1)
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

async fn is_verified(server: String, api_key: &str, number: String) -> Result<bool, Box<dyn Error>> {
    // README: begin
    let connection = Channel::from_shared(server)?.timeout(Duration::from_secs(5)).connect().await?;
    let key: MetadataValue<_> = format!("Bearer {api_key}").parse()?;
    let mut otp = OtpServiceClient::with_interceptor(connection, move |mut request: Request<()>| {
        request.metadata_mut().insert("authorization", key.clone());
        Ok(request)
    });

    let request_id = Uuid::new_v4().to_string();
    let send =
        SendOtpRequest { recipient: number, purpose: "login".into(), request_id, ..Default::default() };
    let sent = otp.send_otp(send).await?.into_inner();
    println!("A code is on its way to {}.", sent.masked_recipient);

    let verification_id = sent.verification_id;
    let code = ask("Code: ")?;
    let check = CheckOtpRequest { verification_id, code, purpose: "login".into(), ..Default::default() };
    let checked = otp.check_otp(check).await?.into_inner();
    Ok(checked.outcome() == CheckOutcome::Verified)
    // README: end
}

fn ask(question: &str) -> std::io::Result<String> {
    print!("{question}");
    std::io::stdout().flush()?;
    let mut typed = String::new();
    std::io::stdin().read_line(&mut typed)?;
    Ok(typed.trim().to_owned())
}
