//! `mycelium tap`.

use std::collections::BTreeMap;
use std::time::Duration;

use mycelium::{Subscription, WireMessage, WireTopics};
use mycelium_codegen::{Model, decode, show};
use mycelium_contract::{Contract, Message, Value};

use super::backlog::Backlog;
use super::filter::{Filter, Test};
use super::{AttachArgs, Attached, Ends, lost, no_topic};
use crate::outcome::{self, Outcome, complain, say_to_reader, unless_unread};

/// How many messages of each topic wait for the backlog (messages): the rest waits at the node.
const CAPACITY: usize = 64;
/// How often `--rate` tells.
const RATE_TIME: Duration = Duration::from_secs(1);

/// Show the messages of topics as they come, until Ctrl-C.
///
/// These are the messages that the node publishes itself. Those of other nodes are seen there.
///
/// A tap never slows its node: where it cannot keep up, the node drops its oldest messages, and so does the
/// tap, which tells how many it has dropped itself. At most 65,536 messages, and 64 MiB, wait to be shown.
/// Messages that a topic retains come first.
///
/// Exit code 0 after --count or Ctrl-C, 1 when the link is lost, 2 when there is none.
#[derive(Debug, clap::Args)]
pub(crate) struct TapArgs {
    /// Topics; `market.*` stands for all that begin so, `*` for all.
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    #[command(flatten)]
    attach: AttachArgs,
    /// Only messages of which this is true: fields compared by == != < <= > >= and ~ (has this text in it),
    /// with && || ! and parentheses, such as 'price > 100 && legs[0].side == Buy'.
    #[arg(long, value_name = "EXPRESSION")]
    filter: Option<String>,
    /// End after so many messages.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Print one JSON object for each message and line, and nothing else.
    #[arg(long)]
    json: bool,
    /// Print once a second how many messages have come, and not the messages.
    #[arg(long)]
    rate: bool,
}

/// What a tap knows of messages.
struct Lens<'c> {
    models: Vec<Model<'c>>,
    /// By type id.
    known: BTreeMap<u16, Known<'c>>,
}

/// The place of its model, the message, and its filter.
type Known<'c> = (usize, &'c Message, Option<Test>);

pub(crate) fn run(args: &TapArgs) -> outcome::Result {
    let contracts = args.attach.contracts()?;
    let lens = Lens::new(args, &contracts)?;
    super::run(async |mut ends| {
        let attached = args.attach.attach(&contracts, &mut ends).await?;
        attached.check_enabled(lens.known.values().map(|(_, message, _)| message.name.as_str()))?;
        let outcome = tap(args, &lens, &attached, &mut ends).await;
        let ended = attached.end().await;
        let outcome = outcome?;
        ended.map(|()| outcome)
    })
}

impl<'c> Lens<'c> {
    fn new(args: &TapArgs, contracts: &'c [Contract]) -> Result<Self, Box<dyn std::error::Error>> {
        let topics = WireTopics::from(args.topics.clone());
        let all = || {
            contracts
                .iter()
                .enumerate()
                .flat_map(|(of, contract)| contract.messages.iter().map(move |m| (of, m)))
        };
        for topic in &args.topics {
            let one = WireTopics::from(topic.as_str());
            if !all().any(|(_, message)| one.takes(&message.topic)) {
                return Err(no_topic(contracts, topic).into());
            }
        }
        let wanted: Vec<(usize, &Message)> =
            all().filter(|(_, message)| topics.takes(&message.topic)).collect();
        let filter = args.filter.as_deref().map(Filter::parse).transpose()?;
        if let Some(unknown) = filter.as_ref().and_then(|filter| filter.unknown(contracts, &wanted)) {
            return Err(unknown.into());
        }
        let mut known = BTreeMap::new();
        for (of, message) in wanted {
            let test = filter.as_ref().map(|filter| filter.of(&contracts[of], message)).transpose()?;
            known.entry(message.type_id).or_insert((of, message, test));
        }
        Ok(Self { models: contracts.iter().map(Model::new).collect(), known })
    }

    /// Whether a message is to be counted. Without a filter nothing of it is read.
    fn passes(&self, message: &WireMessage) -> bool {
        let known = self.known.get(&message.header().type_id);
        known.is_some_and(|known| known.2.is_none() || self.read(known, message).is_some())
    }

    /// The values of a message that the filter lets pass.
    fn read(&self, (of, known, test): &Known<'_>, message: &WireMessage) -> Option<Vec<(String, Value)>> {
        let header = message.header();
        let root_len = header.root_len as usize;
        match decode::message(&self.models[*of], known, header.version, root_len, message.bytes()) {
            Ok(values) => test.as_ref().is_none_or(|test| test.passes(&values)).then_some(values),
            Err(error) => {
                complain(format_args!("a message of `{}` cannot be shown: {error}", known.name));
                None
            }
        }
    }

    /// The line for a message; `None`: the filter does not let it pass.
    fn show(&self, message: &WireMessage, json: bool) -> Option<String> {
        let of_type = self.known.get(&message.header().type_id)?;
        let values = self.read(of_type, message)?;
        let (of, known, _) = of_type;
        let value = show::json(&self.models[*of], &known.fields, &values);
        let (topic, name) = (message.topic(), message.name());
        Some(if json {
            let (topic, name) = (show::json_string(topic), show::json_string(name));
            let nanos = message.published().as_nanos();
            format!("{{\"topic\": {topic}, \"message\": {name}, \"published\": {nanos}, \"value\": {value}}}")
        } else {
            format!("{} {topic} {name} {value}", time_of_day(message.published().as_nanos()))
        })
    }
}

/// The time of day in UTC.
fn time_of_day(nanos: i64) -> String {
    let (seconds, nanos) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
    let of_day = seconds.rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}.{nanos:09}", of_day / 3_600, of_day / 60 % 60, of_day % 60)
}

async fn tap(args: &TapArgs, lens: &Lens<'_>, attached: &Attached, ends: &mut Ends) -> outcome::Result {
    let topics = WireTopics::from(args.topics.clone());
    let how = Subscription::block().capacity(CAPACITY);
    let backlog = Backlog::of(attached.bus.subscribe_wire_with(topics, how)?);
    let mut rates = Rates::default();
    let mut seconds = tokio::time::interval(RATE_TIME);
    seconds.tick().await;
    let mut watch = tokio::time::interval(Duration::from_millis(100));
    let (mut shown, mut dropped) = (0, 0);
    // Once the link is lost, how many are still to be shown: those that had come by then.
    let (mut is_lost, mut left) = (false, None::<usize>);
    while left != Some(0) {
        let message = tokio::select! {
            biased;
            () = ends.asked() => return tell_drops(&backlog, &mut dropped).map(|()| Outcome::Fine),
            _ = seconds.tick(), if args.rate => {
                if unless_unread(rates.tell(args.json))?.is_none() {
                    return Ok(Outcome::Fine);
                }
                continue;
            }
            // Before the messages: there may be no end of them.
            _ = watch.tick() => {
                tell_drops(&backlog, &mut dropped)?;
                // Others may be on their way from the link to here until the next look.
                if is_lost && left.is_none() {
                    left = Some(backlog.len());
                }
                is_lost |= !attached.is_linked();
                continue;
            }
            message = backlog.next() => message,
        };
        let Some(message) = message else { break };
        left = left.map(|left| left.saturating_sub(1));
        if args.rate {
            if !lens.passes(&message) {
                continue;
            }
            rates.count(&message);
        } else {
            let Some(line) = lens.show(&message, args.json) else { continue };
            if unless_unread(say_to_reader(line))?.is_none() {
                return Ok(Outcome::Fine);
            }
        }
        shown += 1;
        if args.count.is_some_and(|count| shown >= count) {
            if args.rate {
                unless_unread(rates.tell(args.json))?;
            }
            return tell_drops(&backlog, &mut dropped).map(|()| Outcome::Fine);
        }
    }
    tell_drops(&backlog, &mut dropped)?;
    lost(attached)
}

/// Says how many messages were dropped here since it was said last.
fn tell_drops(backlog: &Backlog, told: &mut u64) -> outcome::Empty {
    let dropped = backlog.dropped();
    if dropped > *told {
        complain(format_args!(
            "{} messages were not shown: they came faster than they were printed",
            dropped - *told
        ));
        *told = dropped;
    }
    Ok(())
}

/// Messages and bytes of each type since it was told last.
#[derive(Default)]
struct Rates(BTreeMap<(&'static str, &'static str), (u64, u64)>);

impl Rates {
    fn count(&mut self, message: &WireMessage) {
        let (messages, bytes) = self.0.entry((message.topic(), message.name())).or_default();
        *messages += 1;
        *bytes += message.bytes().len() as u64;
    }

    fn tell(&mut self, json: bool) -> std::io::Result<()> {
        if self.0.is_empty() && !json {
            return say_to_reader("nothing");
        }
        for ((topic, name), (messages, bytes)) in &mut self.0 {
            if json {
                let (topic, name) = (show::json_string(topic), show::json_string(name));
                say_to_reader(format_args!(
                    "{{\"topic\": {topic}, \"message\": {name}, \"messages\": {messages}, \"bytes\": {bytes}}}"
                ))?;
            } else {
                say_to_reader(format_args!("{topic} {name}: {messages} messages, {bytes} bytes"))?;
            }
            (*messages, *bytes) = (0, 0);
        }
        Ok(())
    }
}
