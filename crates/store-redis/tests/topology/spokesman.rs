//! A sentinel that names whom it is told to name, and counts who asks.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) struct Spokesman {
    port: u16,
    named: Arc<AtomicU16>,
    connections: Arc<AtomicUsize>,
    asked: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

impl Spokesman {
    /// Listens on a free port, and names the server on another port of this machine.
    pub(crate) async fn start(primary: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (named, connections) = (Arc::new(AtomicU16::new(primary)), Arc::new(AtomicUsize::new(0)));
        let (count, asked) = watch::channel(0);
        let (primary, accepted) = (Arc::clone(&named), Arc::clone(&connections));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(answer(stream, Arc::clone(&primary), count.clone()));
            }
        });
        Self { port, named, connections, asked, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis-sentinel://127.0.0.1:{}/otter", self.port)
    }

    /// Names another primary from now on.
    pub(crate) fn name(&self, primary: u16) {
        self.named.store(primary, Ordering::Relaxed);
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Waits until it has been asked for the primary so many times more.
    pub(crate) async fn asked_again(&mut self, times: usize) {
        let wanted = *self.asked.borrow() + times;
        let asked =
            tokio::time::timeout(Duration::from_secs(60), self.asked.wait_for(|asked| *asked >= wanted));
        asked.await.expect("somebody asks").unwrap();
    }
}

impl Drop for Spokesman {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers until the other side hangs up.
async fn answer(stream: TcpStream, primary: Arc<AtomicU16>, asked: watch::Sender<usize>) {
    let mut stream = BufReader::new(stream);
    while let Some(words) = command(&mut stream).await {
        let answer = if words.iter().any(|word| word.eq_ignore_ascii_case("GET-MASTER-ADDR-BY-NAME")) {
            asked.send_modify(|asked| *asked += 1);
            let port = primary.load(Ordering::Relaxed).to_string();
            format!("*2\r\n$9\r\n127.0.0.1\r\n${}\r\n{port}\r\n", port.len())
        } else {
            "+OK\r\n".to_owned()
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The next command, as clients write it: how many words, then each with its length.
async fn command(stream: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let count = number(stream, '*').await?;
    let mut words = Vec::with_capacity(count);
    for _ in 0..count {
        let mut word = vec![0; number(stream, '$').await? + 2];
        stream.read_exact(&mut word).await.ok()?;
        words.push(String::from_utf8_lossy(&word).trim_end().to_owned());
    }
    Some(words)
}

async fn number(stream: &mut BufReader<TcpStream>, mark: char) -> Option<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    line.trim_end().strip_prefix(mark)?.parse().ok()
}
