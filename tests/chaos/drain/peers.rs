//! Peers that do not behave, spoken byte by byte: no client library would do what they do.

use std::io;
use std::net::SocketAddr;

use otter_contract::v1::{GetOtpRequest, WatchOtpRequest};
use otter_tests::API_KEY;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

const INITIAL_WINDOW_SIZE: u16 = 4;

/// Connects and never says a word: neither a preface nor the beginning of a TLS handshake.
pub(super) async fn silent(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

/// Begins a TLS handshake and never goes on: the head of a record whose body does not come.
pub(super) async fn half_handshake(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]).await.unwrap();
    stream
}

/// Watches a verification and has no room for a single byte of the answer, for ever. Returns when the server has begun
/// to answer.
pub(super) async fn stuck_stream(address: SocketAddr, id: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = message(&WatchOtpRequest { verification_id: id.to_owned() });
    let no_room = [INITIAL_WINDOW_SIZE.to_be_bytes().as_slice(), &0_u32.to_be_bytes()].concat();
    let said = [
        PREFACE.to_vec(),
        frame(SETTINGS, 0, 0, &no_room),
        frame(HEADERS, END_HEADERS, 1, &head("/otter.v1.OtpService/WatchOtp")),
        frame(DATA, END_STREAM, 1, &request),
    ];
    stream.write_all(&said.concat()).await.unwrap();
    until_answered(&mut stream).await;
    stream
}

/// Sends the head of a call and half of its message, and never the rest. Returns when the server has read its settings.
pub(super) async fn half_call(address: SocketAddr, id: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = message(&GetOtpRequest { verification_id: id.to_owned() });
    let said = [
        PREFACE.to_vec(),
        frame(SETTINGS, 0, 0, &[]),
        frame(HEADERS, END_HEADERS, 1, &head("/otter.v1.OtpService/GetOtp")),
        frame(DATA, 0, 1, &request[..request.len() / 2]),
    ];
    stream.write_all(&said.concat()).await.unwrap();
    let first = next_frame(&mut stream).await.unwrap();
    assert_eq!(first.kind, SETTINGS, "a server begins with its settings");
    stream
}

/// Watches the health of the server for as long as it is told anything: it reads everything and answers pings, but
/// neither cancels nor closes when it is asked to go. Returns when the server has begun to answer; the watcher ends when
/// the server closes the connection.
pub(super) async fn health_watcher(address: SocketAddr) -> JoinHandle<()> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let said = [
        PREFACE.to_vec(),
        frame(SETTINGS, 0, 0, &[]),
        frame(HEADERS, END_HEADERS, 1, &head("/grpc.health.v1.Health/Watch")),
        frame(DATA, END_STREAM, 1, &message(&())),
    ];
    stream.write_all(&said.concat()).await.unwrap();
    until_answered(&mut stream).await;
    tokio::spawn(async move {
        while let Ok(Frame { kind, flags, payload, .. }) = next_frame(&mut stream).await {
            if kind == PING && flags & ACK == 0 {
                // The server may have closed already; then there is no next frame.
                let _ = stream.write_all(&frame(PING, ACK, 0, &payload)).await;
            }
        }
    })
}

/// Posts half of a callback and never the rest.
pub(super) async fn half_callback(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let said =
        format!("POST /receipts/alpha HTTP/1.1\r\nhost: {address}\r\ncontent-length: 100\r\n\r\n{{\"half\":");
    stream.write_all(said.as_bytes()).await.unwrap();
    stream
}

/// Waits for the head of the answer on the first stream.
async fn until_answered(stream: &mut TcpStream) {
    loop {
        let Frame { kind, stream, .. } = next_frame(stream).await.expect("the server answers");
        if (kind, stream) == (HEADERS, 1) {
            return;
        }
    }
}

/// What the server says.
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

/// The next frame; fails when the server has closed the connection.
async fn next_frame(stream: &mut TcpStream) -> io::Result<Frame> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut payload).await?;
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    Ok(Frame { kind: head[3], flags: head[4], stream, payload })
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A message as gRPC frames it: not compressed, its length, its bytes.
fn message(request: &impl Message) -> Vec<u8> {
    let bytes = request.encode_to_vec();
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    [&[0], length.as_slice(), &bytes].concat()
}

/// The head of a call, each field a literal without an index.
fn head(path: &str) -> Vec<u8> {
    let fields = [
        (":method", "POST".to_owned()),
        (":scheme", "http".to_owned()),
        (":path", path.to_owned()),
        (":authority", "localhost".to_owned()),
        ("content-type", "application/grpc".to_owned()),
        ("te", "trailers".to_owned()),
        ("authorization", format!("Bearer {API_KEY}")),
    ];
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    fields.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}
