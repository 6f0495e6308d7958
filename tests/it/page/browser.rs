//! A headless browser, driven by the protocol of its developer tools over a pipe.
//!
//! Invariant: one browser runs for all tests of a run, with nobody to talk to but the pipe; when the tests end, however
//! that happens, it ends and its folder goes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};

use crate::stack;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(240);

/// The pipe is on the third and fourth descriptor; a shell can put it there, and removes the folder in the end.
const RUN: &str =
    r#"folder=$1; shift; "$@" 3<&0 4>&1 </dev/null >/dev/null 2>"$folder.log"; rm -rf "$folder" "$folder.log""#;

/// The running browser.
pub struct Browser {
    _process: Child,
    input: ChildStdin,
    output: Receiver<Value>,
    calls: u64,
    events: Vec<Value>,
}

/// A page in it.
pub struct Page<'a> {
    browser: MutexGuard<'a, Browser>,
    target: String,
    session: String,
}

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Whether it is dark.
    pub dark: bool,
}

impl Look {
    /// On a desk.
    pub const DESKTOP: Self = Self { width: 1280, height: 900, dark: false };
    /// In the hand.
    pub const PHONE: Self = Self { width: 360, height: 740, dark: false };

    /// The same in the dark.
    pub fn dark(self) -> Self {
        Self { dark: true, ..self }
    }
}

/// A new page in the browser of this run, with a file in it.
pub fn open(file: &Path) -> Page<'static> {
    open_with(file, json!({}))
}

/// The same in a browser that runs no script of a page.
pub fn open_without_scripts(file: &Path) -> Page<'static> {
    open_with(file, json!({ "no scripts": true }))
}

fn open_with(file: &Path, settings: Value) -> Page<'static> {
    static SHARED: OnceLock<Mutex<Browser>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| Mutex::new(Browser::start()));
    let mut browser = shared.lock().unwrap_or_else(PoisonError::into_inner);
    browser.events.clear();
    let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }), None);
    let target = target["targetId"].as_str().unwrap().to_owned();
    let session = browser.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true }), None);
    let session = session["sessionId"].as_str().unwrap().to_owned();
    let mut page = Page { browser, target, session };
    for domain in ["Page", "Runtime", "Log", "Network"] {
        page.call(&format!("{domain}.enable"), json!({}));
    }
    if settings["no scripts"] == true {
        page.call("Emulation.setScriptExecutionDisabled", json!({ "value": true }));
    }
    page.look(Look::DESKTOP);
    page.call("Page.navigate", json!({ "url": format!("file://{}", file.display()) }));
    page.wait_for("Page.loadEventFired");
    page
}

impl Browser {
    fn start() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(stack::unique("browser"));
        std::fs::create_dir_all(&folder).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", RUN, "sh"]).arg(&folder).args([
            "chromium",
            "--headless=new",
            "--remote-debugging-pipe",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-extensions",
            "--no-first-run",
            "--no-default-browser-check",
            // Whoever asks for something over a network is refused, and seen.
            "--proxy-server=http://127.0.0.1:9",
            "--proxy-bypass-list=<-loopback>",
        ]);
        command
            .args(["--disable-breakpad", "--disable-crash-reporter"])
            .env("HOME", &folder)
            .env("XDG_CONFIG_HOME", &folder);
        command.arg(format!("--user-data-dir={}", folder.display()));
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut process = spawned.expect("a shell can be started");
        let input = process.stdin.take().unwrap();
        let mut reader = BufReader::new(process.stdout.take().unwrap());
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while reader.read_until(0, &mut message).is_ok_and(|length| length > 0) {
                message.pop();
                let value = serde_json::from_slice(&message).expect("the browser speaks JSON");
                if sender.send(value).is_err() {
                    break;
                }
                message.clear();
            }
        });
        Self { _process: process, input, output, calls: 0, events: Vec::new() }
    }

    fn next(&mut self) -> Value {
        self.output.recv_timeout(PATIENCE).expect("`chromium` (Debian's package of that name) runs and answers")
    }

    fn call(&mut self, method: &str, parameters: Value, session: Option<&str>) -> Value {
        self.calls += 1;
        let id = self.calls;
        let mut call = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = session {
            call["sessionId"] = session.into();
        }
        let mut bytes = serde_json::to_vec(&call).unwrap();
        bytes.push(0);
        self.input.write_all(&bytes).expect("`chromium` (Debian's package of that name) runs");
        loop {
            let message = self.next();
            if message["id"] == id {
                assert!(message.get("error").is_none(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
            self.events.push(message);
        }
    }
}

impl Page<'_> {
    /// Calls something of the protocol.
    pub fn call(&mut self, method: &str, parameters: Value) -> Value {
        let session = self.session.clone();
        self.browser.call(method, parameters, Some(&session))
    }

    fn wait_for(&mut self, method: &str) {
        while !self.browser.events.iter().any(|event| event["method"] == method) {
            let message = self.browser.next();
            self.browser.events.push(message);
        }
    }

    /// What happened so far of a sort.
    pub fn events(&self, method: &str) -> Vec<&Value> {
        self.browser.events.iter().filter(|event| event["method"] == method).map(|event| &event["params"]).collect()
    }

    /// What an expression is in the page; a promise is waited for.
    pub fn ask(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", asked);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// Looks at it otherwise.
    pub fn look(&mut self, look: Look) {
        let size = json!({
            "width": look.width, "height": look.height, "deviceScaleFactor": 1, "mobile": look.width < 500,
        });
        self.call("Emulation.setDeviceMetricsOverride", size);
        let scheme = if look.dark { "dark" } else { "light" };
        let scheme = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", json!({ "media": "", "features": scheme }));
    }

    /// Looks at it as a printer does.
    pub fn look_printed(&mut self) {
        self.look(Look { width: 720, height: 1040, dark: false });
        self.call("Emulation.setEmulatedMedia", json!({ "media": "print" }));
    }

    /// Types the key that leads to the next thing that can be used.
    pub fn tab(&mut self) {
        for sort in ["rawKeyDown", "keyUp"] {
            let key = json!({ "type": sort, "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9 });
            self.call("Input.dispatchKeyEvent", key);
        }
    }

    /// The page as a document for a printer.
    pub fn print(&mut self) -> Vec<u8> {
        let printed =
            self.call("Page.printToPDF", json!({ "printBackground": true, "paperWidth": 8.27, "paperHeight": 11.69 }));
        base64::engine::general_purpose::STANDARD.decode(printed["data"].as_str().unwrap()).unwrap()
    }

    /// A picture of all of it.
    pub fn picture(&mut self) -> Vec<u8> {
        let taken = self.call("Page.captureScreenshot", json!({ "format": "png", "captureBeyondViewport": true }));
        base64::engine::general_purpose::STANDARD.decode(taken["data"].as_str().unwrap()).unwrap()
    }

    /// What it did that no page of ours does: talked to its console, asked somebody for something, opened a dialogue.
    pub fn misdeeds(&self) -> Vec<String> {
        let bad = [
            "Runtime.consoleAPICalled",
            "Runtime.exceptionThrown",
            "Log.entryAdded",
            "Page.javascriptDialogOpening",
            "Network.webSocketCreated",
            "Page.frameRequestedNavigation",
        ];
        let mut found: Vec<String> = bad
            .into_iter()
            .flat_map(|method| self.events(method).into_iter().map(move |event| format!("{method}: {event}")))
            .collect();
        let asked = self.events("Network.requestWillBeSent");
        let asked = asked.iter().map(|event| event["request"]["url"].as_str().unwrap_or_default());
        let own = |url: &str| url.starts_with("data:,") || url.starts_with("about:");
        let asked: Vec<&str> = asked.filter(|url| !own(url)).collect();
        if asked.len() != 1 || !asked[0].starts_with("file://") {
            found.push(format!("requests: {asked:?}"));
        }
        found
    }
}

impl Drop for Page<'_> {
    fn drop(&mut self) {
        let target = json!({ "targetId": self.target });
        if !std::thread::panicking() {
            self.browser.call("Target.closeTarget", target, None);
        }
    }
}
