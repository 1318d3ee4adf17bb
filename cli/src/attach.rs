//! What `tap`, `pub`, `ask`, `latency`, `bench` and `doctor` have in common: a bus of their own that is
//! linked with a running node, and knows its messages from contracts alone.
//!
//! Its name begins with `tool/`, by which the node knows that it is never to be waited for.

pub(crate) mod ask;
mod backlog;
pub(crate) mod bench;
pub(crate) mod doctor;
mod filter;
mod json;
pub(crate) mod latency;
mod machine;
mod once;
pub(crate) mod publish;
pub(crate) mod tap;

use std::collections::HashMap;
use std::env::VarError;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::builder::{OsStringValueParser, TypedValueParser as _};
use mycelium::topology::{self, Endpoint, Mode, NODE_VARIABLE, Topology};
use mycelium::wire;
use mycelium::{Dialer, LinkAddress, LinkError, LinkOptions, LinkStats, MessageBus, TlsIdentity};
use mycelium_contract::{Contract, Message};

use crate::outcome::{self, Outcome};
use crate::topology::here::{self, Whereabouts};

/// Which contracts there are, and which node is meant.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct AttachArgs {
    /// The contracts of the node's messages; may be given several times.
    #[arg(long = "contract", value_name = "CONTRACTS.yaml", default_value = "contracts.yaml")]
    contracts: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) node: NodeArgs,
}

/// Which node is meant.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct NodeArgs {
    /// Where the node listens: a path of a Unix socket, HOST:PORT of TCP, or one of both behind `unix:`,
    /// `shm:` or `tcp:`.
    #[arg(long, value_name = "ADDRESS")]
    connect: Option<String>,
    /// The topology that has the node, unless --connect says where it is.
    #[arg(
        long,
        value_name = "FILE",
        env = "MYCELIUM_TOPOLOGY",
        default_value = TOPOLOGY,
        value_parser = OsStringValueParser::new().map(|text| PathBuf::from(if text.is_empty() { TOPOLOGY.into() } else { text }))
    )]
    topology: PathBuf,
    /// The node, or a service that runs in it; by default that of the variable MYCELIUM_NODE. Of a topology
    /// of one process it need not be said.
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// How long to wait for the node, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    within: Duration,
    /// Allow TCP to another machine though nothing is encrypted.
    #[arg(long)]
    plaintext: bool,
    /// TLS over TCP, with ca.crt, tool.crt and tool.key of this directory (`mycelium certs DIRECTORY tool`);
    /// by default that of the topology, if it has `tls`.
    #[arg(long, value_name = "DIRECTORY")]
    tls: Option<PathBuf>,
}

/// The file of a topology where nobody says another one, or an empty variable.
const TOPOLOGY: &str = "topology.toml";

/// A time that is given in seconds, such as `0.5`.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let time = text.parse::<f64>().ok().and_then(|time| Duration::try_from_secs_f64(time).ok());
    let positive = time.filter(|time| !time.is_zero() && *time <= Duration::from_secs(86_400 * 365));
    positive.ok_or_else(|| "give a number of seconds above zero, such as 5 or 0.5".to_owned())
}

/// A node to be linked with: its address, its name where it is known, and what to call it.
pub(crate) struct Goal {
    pub(crate) address: LinkAddress,
    pub(crate) expected: Option<Arc<str>>,
    plaintext: bool,
    tls: Option<TlsFiles>,
}

/// Files for TLS: the authority's, the certificate and its key.
#[derive(Clone)]
pub(crate) struct TlsFiles([PathBuf; 3]);

impl TlsFiles {
    fn of(directory: &Path) -> Self {
        Self(["ca.crt", "tool.crt", "tool.key"].map(|name| directory.join(name)))
    }
}

/// The bus of a tool, linked with a node.
pub(crate) struct Attached {
    pub(crate) bus: MessageBus,
    pub(crate) dialer: Dialer,
    pub(crate) node: Arc<str>,
    within: Duration,
}

impl AttachArgs {
    /// Its contracts, read.
    pub(crate) fn contracts(&self) -> Result<Vec<Contract>, Box<dyn std::error::Error>> {
        read(&self.contracts)
    }

    /// Links a bus of its own with the node.
    pub(crate) async fn attach(
        &self,
        contracts: &[Contract],
        ends: &mut Ends,
    ) -> Result<Attached, Box<dyn std::error::Error>> {
        self.node.attach(contracts, ends).await
    }
}

/// That no message of the contracts is on this topic, and which topics there are.
pub(crate) fn no_topic(contracts: &[Contract], topic: &str) -> String {
    let names = || contracts.iter().flat_map(|contract| &contract.messages).map(|message| &*message.topic);
    let hint = mycelium_toml::suggestion(topic, names()).unwrap_or_else(|| {
        let mut names: Vec<&str> = names().collect();
        names.sort_unstable();
        names.dedup();
        format!("; their topics are {}", names.join(", "))
    });
    format!("no message of the contracts has the topic `{topic}`{hint}")
}

/// Reads contracts, none of which may give a type id to another message than one before.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<Contract>, Box<dyn std::error::Error>> {
    let read = |path: &PathBuf| Contract::read(path).map_err(|errors| errors.to_string());
    let contracts = paths.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let mut known: HashMap<u16, (&Path, &Message)> = HashMap::new();
    for (path, message) in
        paths.iter().zip(&contracts).flat_map(|(p, c)| c.messages.iter().map(move |m| (p, m)))
    {
        let (first, other) = *known.entry(message.type_id).or_insert((path, message));
        if (&other.name, &other.topic) != (&message.name, &message.topic) {
            return Err(format!(
                "type id {} is `{}` on `{}` in {} and `{}` on `{}` in {}: leave out the contract that the node does not have",
                message.type_id,
                other.name,
                other.topic,
                first.display(),
                message.name,
                message.topic,
                path.display()
            )
            .into());
        }
    }
    Ok(contracts)
}

impl NodeArgs {
    pub(crate) fn within(&self) -> Duration {
        self.within
    }

    /// Whether it was given an address, and not a name.
    pub(crate) fn is_address(&self) -> bool {
        self.connect.is_some()
    }

    /// The same with this node, which `--node` may not contradict. The variable is not asked.
    pub(crate) fn of_node(&self, name: &str) -> Result<Self, String> {
        match &self.node {
            Some(node) if node != name => {
                Err(format!("--node says `{node}`, and the path says `{name}`: leave out --node"))
            }
            // An address may be anybody's: its caller looks who answers.
            _ if self.is_address() => Ok(self.clone()),
            _ => Ok(Self { node: Some(name.to_owned()), ..self.clone() }),
        }
    }

    /// The name that was given, or is in the variable.
    pub(crate) fn name(&self) -> Result<Option<String>, String> {
        match (&self.node, std::env::var(NODE_VARIABLE)) {
            (Some(node), _) => Ok(Some(node.clone())),
            // As for a program: an empty variable says nothing.
            (None, Ok(node)) => Ok(Some(node).filter(|node| !node.is_empty())),
            (None, Err(VarError::NotPresent)) => Ok(None),
            (None, Err(VarError::NotUnicode(_))) => Err(format!("the variable {NODE_VARIABLE} is not UTF-8")),
        }
    }

    /// Where the node is.
    pub(crate) fn goal(&self) -> Result<Goal, Box<dyn std::error::Error>> {
        if let Some(text) = &self.connect {
            let tls = self.tls.as_deref().map(TlsFiles::of);
            let expected = self.node.as_deref().map(Arc::from);
            return Ok(Goal { address: address(text)?, expected, plaintext: self.plaintext, tls });
        }
        let shown = self.topology.display();
        let found = topology::read(&self.topology).map_err(|error| {
            format!("{error}; name the node by its address (--connect), or its file by --topology")
        })?;
        let plans = found.plans();
        let name = match (self.name()?, &*plans) {
            (Some(name), _) => name,
            (None, [one]) => one.node.to_string(),
            (None, all) => {
                let names: Vec<&str> = all.iter().map(|plan| &*plan.node).collect();
                return Err(
                    format!("{shown}: which node? Say --node with one of {}", names.join(", ")).into()
                );
            }
        };
        let plan = found.plan(&name).map_err(|error| format!("{shown}: {error}"))?;
        let reach = found.reach(&name).map_err(|error| format!("{shown}: {error}"))?;
        let may_be_here = may_be_here(&found, &plan.node);
        let here = |endpoint: &&Endpoint| match endpoint {
            Endpoint::Unix(path) | Endpoint::Shm(path) => may_be_here && (reach.len() == 1 || path.exists()),
            _ => true,
        };
        let Some(endpoint) = reach.iter().find(here) else {
            return Err(format!("{shown}: `{}` {}", plan.node, nowhere(&found, &plan.node)).into());
        };
        self.goal_at(of_endpoint(endpoint)?, &plan.node, &found)
    }

    /// A node of a topology at one of its addresses.
    pub(crate) fn goal_at(
        &self,
        address: LinkAddress,
        node: &Arc<str>,
        found: &Topology,
    ) -> Result<Goal, Box<dyn std::error::Error>> {
        let tls = self.tls.as_deref().or(found.tls()).map(TlsFiles::of);
        let plaintext = self.plaintext || found.plaintext();
        Ok(Goal { address, expected: Some(Arc::clone(node)), plaintext, tls })
    }

    /// Links a bus of its own with the node.
    pub(crate) async fn attach(
        &self,
        contracts: &[Contract],
        ends: &mut Ends,
    ) -> Result<Attached, Box<dyn std::error::Error>> {
        self.goal()?.attach(contracts, self.within, ends).await
    }
}

impl Goal {
    /// Links a bus with the node, whose messages are those of the contracts.
    pub(crate) async fn attach(
        &self,
        contracts: &[Contract],
        within: Duration,
        ends: &mut Ends,
    ) -> Result<Attached, Box<dyn std::error::Error>> {
        let mut builder = MessageBus::builder().node(name());
        for contract in contracts {
            builder = builder.contract(wire::Contract::parse(&contract.table())?);
        }
        let bus = builder.build();
        // A message that is published here waits for nobody who has gone.
        let mut options = LinkOptions::default().hold(Duration::ZERO);
        if let Some(expected) = &self.expected {
            options = options.expect(Arc::clone(expected));
        }
        if self.plaintext {
            options = options.plaintext();
        }
        if let (Some(TlsFiles([authority, certificate, key])), LinkAddress::Tcp(_)) =
            (&self.tls, &self.address)
        {
            options = options.tls(TlsIdentity::from_files(authority, certificate, key)?);
        }
        let dialer = match bus.connect_with(self.address.clone(), options) {
            Ok(dialer) => dialer,
            // Its own text names what programs write.
            Err(LinkError::NotLoopback { address }) => {
                return Err(format!(
                    "{address} is no address of this machine alone, and TCP is not encrypted: give the certificates by \
                     --tls DIRECTORY, or say --plaintext if nobody else reaches that network"
                )
                .into());
            }
            Err(error) => return Err(error.into()),
        };
        let linked = tokio::select! {
            linked = tokio::time::timeout(within, dialer.linked()) => linked,
            () = ends.asked() => return Err(format!("interrupted while it waited for {}", self.address).into()),
        };
        match linked {
            Ok(node) => Ok(Attached { bus, dialer, node, within }),
            Err(_) => {
                let fault = dialer.fault();
                let remedy = where_to_look(&self.address, fault.as_deref());
                let fault = fault.as_deref().unwrap_or("nobody has answered");
                let called = self.expected.as_ref().map_or(String::new(), |name| format!("`{name}` at "));
                Err(format!("no link to {called}{} within {within:?}: {fault}{remedy}", self.address).into())
            }
        }
    }
}

impl Attached {
    /// The link.
    pub(crate) fn link(&self) -> Option<LinkStats> {
        self.bus.stats().links.into_iter().find(|link| link.peer == self.node)
    }

    /// How many of these messages were published while the node wanted them.
    pub(crate) fn published(&self, name: &str) -> u64 {
        self.bus.topics().iter().filter(|topic| topic.message == name).map(|topic| topic.published).sum()
    }

    /// An error if the node means something else by one of these messages.
    pub(crate) fn check_enabled<'m>(
        &self,
        messages: impl Iterator<Item = &'m str>,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let disabled = self.link().map(|link| link.disabled).unwrap_or_default();
        for message in messages {
            if let Some(of) = disabled.iter().find(|of| of.message == message) {
                return Err(format!(
                    "`{}` and the contract given here contradict each other: {}; take the contract that it was built from",
                    self.node, of.cause
                )
                .into());
            }
        }
        Ok(())
    }

    /// Ends in order: what was sent is acknowledged, or that is an error.
    pub(crate) async fn end(self) -> Result<(), Box<dyn std::error::Error>> {
        self.bus.shutdown_within(self.within).await.map_err(|error| error.to_string().into())
    }
}

/// That a node of a topology has no place where a tool could find it.
pub(crate) fn nowhere(found: &Topology, name: &str) -> String {
    let listens = found.reach(name).is_ok_and(|reach| !reach.is_empty());
    match (found.mode(), found.nodes().iter().find(|node| *node.name == *name)) {
        (_, Some(node)) if listens => {
            format!("is on {}, and reached there alone: call this there, or give it a `port`", node.host())
        }
        (Mode::Monolith, _) => {
            "listens nowhere, as it has nobody to be linked with: to look at it, run it in mode \"bundled\"".into()
        }
        _ => {
            "listens nowhere: write socket_dir = \"run\" at the head of the file, or endpoint.kind = \"tcp\" and a port"
                .into()
        }
    }
}

/// Whether the sockets of a node may be on this machine.
pub(crate) fn may_be_here(found: &Topology, name: &str) -> bool {
    let node = found.nodes().iter().find(|node| *node.name == *name);
    node.is_none_or(|node| here::of(found, node) != Ok(Whereabouts::Elsewhere))
}

/// A name that no other tool has now.
fn name() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{}{}-{:x}", mycelium::TOOL_PREFIX, std::process::id(), now.as_nanos() & 0xffff_ffff_ffff)
}

fn address(text: &str) -> Result<LinkAddress, Box<dyn std::error::Error>> {
    let of = match text.split_once(':') {
        Some(("tcp", address)) => Endpoint::Tcp(address.into()),
        Some(("unix", path)) => Endpoint::Unix(path.into()),
        Some(("shm", path)) => Endpoint::Shm(path.into()),
        Some(_) if !text.contains('/') => match text.rsplit_once(':').map_or("", |(_, port)| port) {
            port if is_port(port) => Endpoint::Tcp(text.into()),
            "" => return Err(format!("`{text}` lacks its port, which is 1 to 65535{}", or_path(text)).into()),
            port if text.starts_with('[') || port.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-')) => {
                return Err(format!("`{text}`: `{port}` is no port, which is 1 to 65535{}", or_path(text)).into());
            }
            _ => Endpoint::Unix(text.into()),
        },
        _ if text.is_empty() => return Err(
            "--connect needs an address: a path such as run/desk.sock, or a host and port such as 127.0.0.1:7000"
                .into(),
        ),
        _ => Endpoint::Unix(text.into()),
    };
    of_endpoint(&of)
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

/// How to write what looks like a host and a port, and is meant as a path.
fn or_path(text: &str) -> String {
    format!("; a path of a socket is written unix:{text}")
}

/// The remedy where nobody answers. A fault without a number of the system is of a peer that does answer,
/// and has its own remedy.
fn where_to_look(address: &LinkAddress, fault: Option<&str>) -> &'static str {
    if fault.is_some_and(|fault| fault.starts_with("failed to lookup address")) {
        return "; see that the host is written as this machine knows it";
    }
    if fault.is_some_and(|fault| !fault.contains("os error")) {
        return "";
    }
    let path = match address {
        #[cfg(unix)]
        LinkAddress::Unix(path) => path,
        #[cfg(target_os = "linux")]
        LinkAddress::Shm(path) => path,
        _ => return "; see that the node runs and listens there",
    };
    match path.metadata() {
        Ok(data) if data.is_dir() => "; that is a folder: give the path of the socket in it",
        Ok(data) if data.is_file() => {
            "; that is a file and no socket: give the path at which the node listens"
        }
        Ok(_) if fault.is_some_and(|fault| fault.contains(DENIED)) => OF_ITS_USER,
        // Connected to, and then cut off.
        Ok(_) if fault.is_some_and(|fault| !fault.contains("refused")) => {
            "; see that a node of Mycelium listens there, and over shared memory or not (shm:PATH)"
        }
        Ok(_) if fault.is_none() => {
            "; somebody has the socket and says nothing: see that the process is not stopped, or give it longer by \
             --within SECONDS"
        }
        Ok(_) => "; see that the node runs: an old socket stays where its process was killed",
        Err(error) if error.kind() == ErrorKind::PermissionDenied => OF_ITS_USER,
        Err(_) => "; see that the node runs, and that it listens at this path",
    }
}

/// How the system's fault ends where the permissions of a path are in the way.
const DENIED: &str = "(os error 13)";

/// A node lets only its own user connect.
const OF_ITS_USER: &str = "; only the user of the node may connect: run this as that user";

/// The path of a socket begins here, if it is relative.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn of_endpoint(endpoint: &Endpoint) -> Result<LinkAddress, Box<dyn std::error::Error>> {
    match endpoint {
        #[cfg(unix)]
        Endpoint::Unix(path) => Ok(LinkAddress::unix(absolute(path))),
        #[cfg(target_os = "linux")]
        Endpoint::Shm(path) => Ok(LinkAddress::shm(absolute(path))),
        Endpoint::Tcp(address) => Ok(LinkAddress::tcp(Arc::clone(address))),
        _ => Err(format!("this system has no links over {endpoint}").into()),
    }
}

/// Runs a tool: its link has a thread of its own, so that what is slow here is not slow there.
pub(crate) fn run(tool: impl AsyncFnOnce(Ends) -> outcome::Result) -> outcome::Result {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    run_on(builder.worker_threads(1), tool)
}

/// The same on the threads that this builder says.
pub(crate) fn run_on(
    builder: &mut tokio::runtime::Builder,
    tool: impl AsyncFnOnce(Ends) -> outcome::Result,
) -> outcome::Result {
    let runtime = builder.enable_all().build()?;
    let outcome = runtime.block_on(async { tool(Ends::listen()?).await });
    // A thread that waits for standard input, or for the system, is not waited for.
    runtime.shutdown_background();
    outcome
}

/// Knows when the user, or a service manager, asks the tool to end.
#[derive(Clone)]
pub(crate) struct Ends(tokio::sync::watch::Receiver<bool>);

impl Ends {
    /// Listens from now on. The second time that it is asked, the process ends at once.
    fn listen() -> std::io::Result<Self> {
        let (tell, told) = tokio::sync::watch::channel(false);
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let (mut interrupt, mut terminate) =
                (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
            tokio::spawn(async move {
                loop {
                    let code = tokio::select! {
                        _ = interrupt.recv() => 130,
                        _ = terminate.recv() => 143,
                    };
                    if tell.send_replace(true) {
                        std::process::exit(code);
                    }
                }
            });
        }
        #[cfg(not(unix))]
        tokio::spawn(async move {
            let _told = tokio::signal::ctrl_c().await;
            tell.send_replace(true);
        });
        Ok(Self(told))
    }

    /// Whether it was asked to end.
    pub(crate) fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Ready when it is asked to end, and from then on.
    pub(crate) async fn asked(&mut self) {
        if self.0.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Attached {
    /// Whether the connection is the one that it began with. Messages between two are nobody's.
    pub(crate) fn is_linked(&self) -> bool {
        self.link().is_some_and(|link| link.state == mycelium::LinkState::Linked && link.connections == 1)
    }
}

/// That the link was lost while the tool was at work.
pub(crate) fn lost(attached: &Attached) -> outcome::Result {
    let fault = attached.link().and_then(|link| link.fault);
    let fault = fault.as_deref().unwrap_or("the connection has ended");
    crate::outcome::complain(format_args!("error: the link to `{}` is lost: {fault}", attached.node));
    Ok(Outcome::No)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_is_not_found_and_a_process_that_says_nothing_have_remedies_of_their_own() {
        let host = LinkAddress::tcp("market.example:7000");
        let fault = "failed to lookup address information: Name or service not known";
        assert!(where_to_look(&host, Some(fault)).contains("see that the host is written"));
        let path = std::env::temp_dir().join(format!("mycelium-silent-{}.sock", std::process::id()));
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let silent = where_to_look(&LinkAddress::unix(&path), None);
        assert!(silent.contains("see that the process is not stopped"), "{silent}");
        drop(listener);
        let dead = where_to_look(&LinkAddress::unix(&path), Some("Connection refused (os error 111)"));
        assert!(dead.contains("an old socket stays"), "{dead}");
        let _gone = std::fs::remove_file(path);
    }
}
