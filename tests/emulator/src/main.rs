//! `cargo run -p emulator -- --listen 127.0.0.1:0 [--config FILE]`: serves until a signal ends it.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use emulator::{Config, Emulator};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Emulates AWS Clean Rooms ML's audience operations and Amazon Personalize's batch segment jobs.
#[derive(Parser)]
struct Arguments {
    /// The address to listen on. Port 0 takes a free port.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
    /// The configuration. The default is the sample of tests/data.
    #[arg(long)]
    config: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("emulator: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), String> {
    let config = Config::read(&arguments.config.unwrap_or_else(Config::sample_path))?;
    // Waits for signals from the beginning, so that none is lost while the training data is read.
    let stop = stop_signal().map_err(|error| error.to_string())?;
    let emulator = Emulator::new(config).await?;
    let cannot_listen = |error: io::Error| format!("{}: {error}", arguments.listen);
    let listener = TcpListener::bind(&arguments.listen).await.map_err(cannot_listen)?;
    let address = listener.local_addr().map_err(cannot_listen)?;
    // The parent process reads the address from the first line; the output may be a pipe.
    let mut output = io::stdout();
    writeln!(output, "http://{address}").and_then(|()| output.flush()).map_err(|error| error.to_string())?;
    emulator.serve(listener, stop).await;
    Ok(())
}

fn stop_signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
