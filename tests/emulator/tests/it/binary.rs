//! The program: it says where it listens, and ends when it is told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than anything takes here; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

const SLOW: &str = r#"{"faults": [{"fault": {"kind": "slow", "seconds": 3600}}]}"#;

fn start(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_emulator"));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn it_prints_its_address_first_and_ends_cleanly_on_a_signal() {
    for signal in ["-TERM", "-INT"] {
        let mut child = start(&["--listen", "127.0.0.1:0"]);
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("http://").unwrap().to_owned();
        let answer = answer(&address, "GET /healthz", "");
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert_ends(child, signal);
    }
}

#[test]
fn a_slow_answer_does_not_hold_up_its_end() {
    let mut child = start(&["--listen", "127.0.0.1:0"]);
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim_end().strip_prefix("http://").unwrap().to_owned();
    answer(&address, "PUT /_emulator/faults", SLOW);
    let waiting = ask(&address, "GET /configured-audience-model", "");
    let start = Instant::now();
    while !answer(&address, "GET /_emulator/faults", "").contains(r#""struck":1"#) {
        assert!(start.elapsed() < PATIENCE, "it is not asked");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_ends(child, "-TERM");
    drop(waiting);
}

fn ask(address: &str, request: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let head = format!("{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all((head + body).as_bytes()).unwrap();
    stream
}

fn answer(address: &str, request: &str, body: &str) -> String {
    let mut answer = String::new();
    ask(address, request, body).read_to_string(&mut answer).unwrap();
    answer
}

fn assert_ends(mut child: Child, signal: &str) {
    Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(status.success(), "{status}");
}

#[test]
fn a_wrong_configuration_is_named_and_nothing_is_served() {
    let output = start(&["--config", "/no/such/file.json"]).wait_with_output().unwrap();
    assert!(!output.status.success());
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("emulator: /no/such/file.json: "));
}
