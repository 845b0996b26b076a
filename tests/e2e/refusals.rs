//! What is refused, and how clearly.

use otter_contract::v1::SendOtpRequest;
use otter_tests::{Client, Kept, Otter, World, login, reason, violations};
use tonic::Code;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_bad_fields_are_named_at_once_and_none_is_echoed() {
    let world = World::start(Kept::embedded()).await;
    let request = SendOtpRequest {
        recipient: "0151-SECRET".to_owned(),
        purpose: "Not A Purpose".to_owned(),
        locale: "!!".to_owned(),
        code: "12ab".to_owned(),
        request_id: "with space".to_owned(),
        ..SendOtpRequest::default()
    };
    let refused = world.client.send(request).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::InvalidArgument, "INVALID_FIELDS"));
    let fields: Vec<_> = violations(&refused).into_iter().map(|(field, _)| field).collect();
    for field in ["recipient", "purpose", "code", "request_id"] {
        assert!(fields.iter().any(|named| named == field), "{field} is not among {fields:?}");
    }
    let mut brief = login("+4915112345678", &[]);
    brief.code = "12ab".to_owned();
    brief.ttl = Some(prost_types::Duration { seconds: 20, nanos: 0 });
    let both = violations(&world.client.send(brief).await.unwrap_err());
    assert_eq!(both.iter().map(|(field, _)| field.as_str()).collect::<Vec<_>>(), ["code", "ttl"]);
    let text = format!("{refused:?}");
    assert!(!text.contains("SECRET") && !text.contains("12ab"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_exist_is_refused_by_its_name() {
    let world = World::start(Kept::embedded()).await;
    let mut request = login("+4915112345678", &[]);
    request.purpose = "signup".to_owned();
    let refused = world.client.send(request).await.unwrap_err();
    assert_eq!(reason(&refused), "PURPOSE_UNKNOWN");
    let premium = world.client.send(login("+499001123456", &[])).await.unwrap_err();
    assert_eq!(premium.code(), Code::FailedPrecondition);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_key_is_refused() {
    let world = World::start(Kept::embedded()).await;
    let mut otp = otter_contract::v1::otp_service_client::OtpServiceClient::connect(world.otter.grpc_url())
        .await
        .unwrap();
    let without = otp.send_otp(login("+4915112345678", &[])).await.unwrap_err();
    assert_eq!(without.code(), Code::Unauthenticated);
    let mut request = tonic::Request::new(login("+4915112345678", &[]));
    request.metadata_mut().insert("authorization", "Bearer sesame".parse().unwrap());
    let wrong = otp.send_otp(request).await.unwrap_err();
    assert_eq!(wrong.code(), Code::Unauthenticated);
    assert!(!format!("{wrong:?}").contains("sesame"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_explains_and_sends_nothing() {
    let world = World::start(Kept::embedded()).await;
    let mut request = login("+4915112345678", &[]);
    request.dry_run = true;
    let answer = world.client.send(request).await.unwrap();
    let plan = answer.plan.unwrap();
    assert_eq!(plan.candidates.len(), 5);
    assert_eq!(plan.considered.len(), 5);
    assert!(answer.verification_id.is_empty());
    assert_eq!(world.vendor.sends("alpha"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_configuration_is_taken_over_and_a_wrong_one_is_not() {
    let world = World::start(Kept::embedded()).await;
    let text = otter_tests::configuration(&world.kept, &world.vendor, "");
    world.otter.reconfigure(&text.replace("min_useful", "min_usefull"));
    let refused = async {
        while !world.otter.log().contains("configuration refused") {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), refused)
        .await
        .expect("the wrong file is noticed");
    world.client.login("+4915112345678", &[]).await;
    world.otter.reconfigure(&format!("{text}\n[tenants.shop.purposes.signup]\nroute = \"everyday\"\n"));
    let mut request = login("+4915112345678", &[]);
    request.purpose = "signup".to_owned();
    let sent = async {
        loop {
            match world.client.send(request.clone()).await {
                Ok(sent) => return sent,
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), sent).await.expect("the new purpose is known");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_on_the_same_directory_is_refused_clearly() {
    let world = World::start(Kept::embedded()).await;
    let text = otter_tests::configuration(&world.kept, &world.vendor, "");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let output = std::process::Command::new(otter_tests::binary())
        .args(["serve", "--config"])
        .arg(file.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("is in use by process"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_in_processes_of_their_own_work_together() {
    let kept = Kept::redis();
    let vendor = otter_tests::vendor().await;
    let text = otter_tests::configuration(&kept, &vendor, "");
    let receipts = Otter::start(&text, &["--role", "receipts"]).await;
    let address = receipts.addresses().receipts.unwrap();
    let text = text.replace("[receipts]\n", &format!("[receipts]\npublic_url = \"http://{address}\"\n"));
    let api = Otter::start(&text, &["--role", "api"]).await;
    let _scheduler = Otter::start(&text, &["--role", "scheduler"]).await;
    let _worker = Otter::start(&text, &["--role", "worker", "--provider", "beta"]).await;
    let client = Client::connect(&api.grpc_url()).await;
    // Nobody works on alpha's lane: its job is withdrawn and beta, which has a worker, takes over.
    let number = "+4915112345678";
    let sent = client.login(number, &[]).await;
    let mut handset = vendor.handset(number);
    let message =
        tokio::time::timeout(std::time::Duration::from_secs(60), handset.next()).await.expect("it comes");
    let answer = client.check(&sent.verification_id, &message.code().unwrap()).await.unwrap();
    assert_eq!((answer.outcome(), answer.verified_attempt), (otter_contract::v1::CheckOutcome::Verified, 2));
}
