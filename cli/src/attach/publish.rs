//! `mycelium pub`.

use std::collections::HashSet;
use std::io::{BufRead, ErrorKind};
use std::time::{Duration, Instant};

use mycelium::frame::Header;
use mycelium_codegen::{Model, encode};
use mycelium_contract::{Contract, Message};

use super::{AttachArgs, Attached, Ends, json, no_topic};
use crate::outcome::{self, Outcome, complain, say};

/// Publish messages to a topic of a running node.
///
/// Values are checked by the contract before anything is sent. The node takes what somebody there
/// subscribes to, and this command ends when it has acknowledged all of it.
///
/// Exit code 0 when the node has the messages, 1 when nobody there subscribes to them, or nobody did when
/// some of them came, or the node does not say who does, or the link is lost, 2 when there is no link, or a
/// value is none of the contract.
#[derive(Debug, clap::Args)]
pub(crate) struct PublishArgs {
    /// The topic.
    topic: String,
    /// The value, such as '{"price": 1.5}'; `-`: one value on each line of standard input. Fields with a
    /// default may be left out.
    #[arg(long, value_name = "VALUE")]
    json: String,
    /// Which message, where the topic carries several.
    #[arg(long, value_name = "NAME")]
    message: Option<String>,
    #[command(flatten)]
    attach: AttachArgs,
}

/// One that is interrupted waits so long for what it has sent.
const INTERRUPTED_TIME: Duration = Duration::from_secs(1);

/// How long somebody at a node may take to subscribe that has said what it wants.
const SOON: Duration = Duration::from_secs(1);

/// A message of a contract, to be written.
pub(crate) struct Writer<'c> {
    contract: &'c Contract,
    model: Model<'c>,
    pub(crate) message: &'c Message,
}

impl<'c> Writer<'c> {
    pub(crate) fn new(contract: &'c Contract, message: &'c Message) -> Self {
        Self { contract, model: Model::new(contract), message }
    }

    /// The bytes of a value, and what a frame says of them.
    pub(crate) fn write(&self, text: &str) -> Result<(Header, Vec<u8>), String> {
        let Message { type_id, version, fields, .. } = self.message;
        let values = json::message(self.contract, self.message, text)?;
        let encoded = encode::message(&self.model, fields, &values).map_err(|error| error.to_string())?;
        let root_len = u32::try_from(encoded.root_len).unwrap_or(u32::MAX);
        Ok((Header { type_id: *type_id, version: *version, root_len, ..Header::default() }, encoded.bytes))
    }
}

/// The one message for which this is so, of all contracts.
pub(crate) fn choose<'c>(
    contracts: &'c [Contract],
    name: Option<&str>,
    what: &str,
    suits: impl Fn(&Message) -> bool,
) -> Result<Writer<'c>, Box<dyn std::error::Error>> {
    let all = contracts
        .iter()
        .flat_map(|contract| contract.messages.iter().map(move |message| (contract, message)));
    let mut suited: Vec<_> = all.filter(|(_, message)| suits(message)).collect();
    // One that stands in several contracts is one all the same.
    let mut seen = HashSet::new();
    suited.retain(|(_, message)| seen.insert(message.type_id));
    let names = || suited.iter().map(|(_, message)| message.name.as_str());
    let list = || names().collect::<Vec<_>>().join(", ");
    match (name, &*suited) {
        (_, []) => {
            Err(format!("no message of the contracts is {what}: name the contract that has it by --contract")
                .into())
        }
        (None, [(contract, message)]) => Ok(Writer::new(contract, message)),
        (None, _) => Err(format!("several messages are {what}: say --message with one of {}", list()).into()),
        (Some(name), _) => match suited.iter().find(|(_, message)| message.name == name) {
            Some((contract, message)) => Ok(Writer::new(contract, message)),
            None => {
                let hint = mycelium_toml::suggestion(name, names())
                    .unwrap_or_else(|| format!("; those are {}", list()));
                Err(format!("no message `{name}` is {what}{hint}").into())
            }
        },
    }
}

pub(crate) fn run(args: &PublishArgs) -> outcome::Result {
    let contracts = args.attach.contracts()?;
    let topic = &args.topic;
    let name = args.message.as_deref();
    if contracts.iter().flat_map(|contract| &contract.messages).all(|message| message.topic != *topic) {
        return Err(no_topic(&contracts, topic).into());
    }
    let writer =
        choose(&contracts, name, &format!("on the topic `{topic}`"), |message| message.topic == *topic)?;
    // A mistake in the value is one, whether or not the node is there.
    let first = (args.json != "-").then(|| writer.write(&args.json)).transpose()?;
    super::run(async |mut ends| {
        let attached = args.attach.attach(&contracts, &mut ends).await?;
        let outcome = publish(args, &writer, first, &attached, &mut ends).await;
        if matches!(outcome, Ok(Outcome::Fine)) {
            attached.end().await?;
        }
        outcome
    })
}

/// Whether the node wants such messages; it is said why not.
pub(super) async fn is_wanted(
    name: &str,
    attached: &Attached,
    within: Duration,
) -> Result<bool, Box<dyn std::error::Error>> {
    attached.check_enabled(std::iter::once(name))?;
    let wanted = match until_wanted(name, attached, within).await {
        Ok(wanted) => wanted,
        Err(cause) => {
            complain(format_args!("error: {cause}"));
            return Ok(false);
        }
    };
    if !wanted {
        let wants = attached.link().map(|link| link.wants.join(", ")).unwrap_or_default();
        let wants =
            if wants.is_empty() { "it wants no message".to_owned() } else { format!("it wants {wants}") };
        complain(format_args!("error: nobody at `{}` subscribes to `{name}`; {wants}", attached.node));
    }
    Ok(wanted)
}

async fn publish(
    args: &PublishArgs,
    writer: &Writer<'_>,
    first: Option<(Header, Vec<u8>)>,
    attached: &Attached,
    ends: &mut Ends,
) -> outcome::Result {
    let name = &*writer.message.name;
    if !is_wanted(name, attached, args.attach.node.within()).await? {
        return Ok(Outcome::No);
    }
    let mut sent = 0_u64;
    if let Some((header, bytes)) = first {
        tokio::select! {
            biased;
            published = attached.bus.publish_wire(&header, &bytes) => published?,
            () = ends.asked() => return Err("interrupted while it waited for room".into()),
        }
        sent += 1;
    } else {
        let mut lines = lines();
        loop {
            let line = tokio::select! {
                line = lines.recv() => line,
                () = ends.asked() => None,
            };
            let Some((number, line)) = line else { break };
            let written = match line {
                Ok(line) if line.trim().is_empty() => continue,
                Ok(line) => writer.write(&line),
                Err(error) if error.kind() == ErrorKind::InvalidData => {
                    Err("it is no UTF-8: write JSON as UTF-8".to_owned())
                }
                Err(error) => Err(format!("it cannot be read: {error}")),
            };
            let (header, bytes) = match written {
                Ok(written) => written,
                Err(error) => {
                    let before = match are_there(name, sent, attached, ends).await {
                        Ok(()) => format!("{sent} were sent before"),
                        Err(cause) => cause,
                    };
                    return Err(format!("line {number}: {error}; {before}").into());
                }
            };
            tokio::select! {
                biased;
                published = attached.bus.publish_wire(&header, &bytes) => published?,
                // It waits for room at the node.
                () = ends.asked() => break,
            }
            sent += 1;
        }
    }
    if let Err(cause) = are_there(name, sent, attached, ends).await {
        complain(format_args!("error: {cause}"));
        return Ok(Outcome::No);
    }
    say(format_args!("sent {sent} `{name}` to `{}`", attached.node))?;
    Ok(Outcome::Fine)
}

/// Waits until the node has acknowledged all that was sent. `Err` says why it has not.
pub(super) async fn are_there(
    name: &str,
    sent: u64,
    attached: &Attached,
    ends: &mut Ends,
) -> Result<(), String> {
    let node = &attached.node;
    let mut interrupted = None::<Instant>;
    loop {
        let Some(link) = attached.link() else {
            return Err(format!("there is no link to `{node}` any more"));
        };
        if link.too_long > 0 {
            return Err(format!("{} of {sent} are longer than `{node}` reads", link.too_long));
        }
        if link.acknowledged >= sent {
            return Ok(());
        }
        let missing = sent - link.acknowledged;
        if !attached.is_linked() {
            let fault = link.fault.as_deref().unwrap_or("the connection has ended");
            return Err(format!(
                "the link to `{node}` is lost, and {missing} of {sent} may not be there: {fault}"
            ));
        }
        if !link.wants.contains(&name) {
            return Err(format!(
                "nobody at `{node}` subscribes to `{name}` any more; {missing} of {sent} may not be there"
            ));
        }
        // The last subscriber there has left, and another one wants what comes later.
        let unwanted = sent.saturating_sub(attached.published(name)) + link.unsent;
        if unwanted > 0 && link.acknowledged + unwanted >= sent {
            return Err(format!(
                "{unwanted} of {sent} are not there: nobody at `{node}` subscribed meanwhile"
            ));
        }
        if interrupted.is_some_and(|since| since.elapsed() > INTERRUPTED_TIME) {
            return Err(format!("interrupted: {missing} of {sent} may not be there"));
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(2)) => {}
            () = ends.asked(), if interrupted.is_none() => interrupted = Some(Instant::now()),
        }
    }
}

/// Lines of standard input, each with its number, read by a thread: a pipe may wait for ever.
fn lines() -> tokio::sync::mpsc::Receiver<(u64, std::io::Result<String>)> {
    let (give, take) = tokio::sync::mpsc::channel(64);
    std::thread::spawn(move || {
        for numbered in (1..).zip(std::io::stdin().lock().lines()) {
            if give.blocking_send(numbered).is_err() {
                return;
            }
        }
    });
    take
}

/// Whether the node wants such messages, or soon does. `Err`: it has not said what it wants.
async fn until_wanted(name: &str, attached: &Attached, within: Duration) -> Result<bool, String> {
    let wanted = async || {
        while !attached.link().is_some_and(|link| link.wants.contains(&name)) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    // A node says what it wants at once, behind the handshake, and so before its answer to the second word:
    // that one is asked for when the first answer has come.
    let said = async {
        for _ in 0..2 {
            attached.dialer.round_trip().await?;
        }
        Some(())
    };
    let said = tokio::select! {
        biased;
        () = wanted() => return Ok(true),
        said = tokio::time::timeout(within, said) => said,
    };
    let node = &attached.node;
    match said {
        // A node that has just begun may have no subscriber yet.
        Ok(Some(())) => Ok(tokio::time::timeout(within.min(SOON), wanted()).await.is_ok()),
        Ok(None) => {
            let fault = attached.link().and_then(|link| link.fault);
            let fault = fault.as_deref().unwrap_or("the connection has ended");
            Err(format!("the link to `{node}` was lost before it had said what it subscribes to: {fault}"))
        }
        Err(_) => Err(format!(
            "`{node}` is linked, and has not said within {within:?} what it subscribes to: it is stopped, or very busy; \
             give it longer by --within SECONDS"
        )),
    }
}
