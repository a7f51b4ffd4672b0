//! The pages in a real browser, where one is installed.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use super::pages::all_pages;

const WIDTHS: [u32; 3] = [320, 360, 1024];

/// Chromium, wherever this system has it.
fn chromium() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    std::env::split_paths(&folders).flat_map(|folder| names.map(|name| folder.join(name))).find(|path| path.is_file())
}

/// A page that shows the pages in frames of each width and writes what it measures of them into its own title.
fn gauge() -> String {
    let mut gauge = String::from("<!DOCTYPE html><title></title>");
    for (name, page) in all_pages() {
        let page = page.replace('&', "&amp;").replace('"', "&quot;");
        for width in WIDTHS {
            let _ = write!(gauge, r#"<iframe name="{name}" width="{width}" height="900" srcdoc="{page}"></iframe>"#);
        }
    }
    // Wider than its frame, anything loaded, any script that ran: each is a finding.
    gauge
        + r#"<script>onload = () => {
            const found = [];
            for (const frame of document.querySelectorAll("iframe")) {
                const { document: page, performance } = frame.contentWindow;
                const over = page.documentElement.scrollWidth - page.documentElement.clientWidth;
                if (over > 0) found.push(`${frame.name} is ${over} too wide for ${frame.width}`);
                if (performance.getEntriesByType("resource").length) found.push(`${frame.name} loads something`);
                if (!page.querySelector("h1")?.getBoundingClientRect().height) found.push(`${frame.name} shows nothing`);
            }
            document.title = `measured: ${found.join("; ") || "all well"}`;
        }</script>"#
}

#[test]
fn pages_fit_their_width_and_load_nothing() {
    let Some(chromium) = chromium() else {
        println!("skipped: Chromium is not installed");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let gauge_file = folder.path().join("gauge.html");
    std::fs::write(&gauge_file, gauge()).unwrap();
    let shown = Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync", "--dump-dom"])
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg(format!("file://{}", gauge_file.display()))
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout);
    let title = shown.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next());
    assert_eq!(title, Some("measured: all well"));
}
