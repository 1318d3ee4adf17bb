//! `mycelium ask`.

use std::time::Duration;

use mycelium::{AskError, RemoteError};
use mycelium_codegen::{Model, decode, show};

use super::publish::choose;
use super::{AttachArgs, seconds};
use crate::outcome::{self, Outcome, complain, say};

/// Ask an actor of a running node, and print its answer as JSON.
///
/// The actor is one that the node has exposed (`MessageBus::expose`).
///
/// Exit code 0 with an answer; 1 without: nobody is there under this name, it takes no such question, or no
/// answer came in time; 2 when there is no link, or the value is none of the contract.
#[derive(Debug, clap::Args)]
pub(crate) struct AskArgs {
    /// The node, a slash, and the name under which the actor is exposed there, such as desk/risk.
    #[arg(value_name = "NODE/ACTOR")]
    path: String,
    /// The question, such as '{"account": 7}'. Fields with a default may be left out.
    #[arg(long, value_name = "VALUE", default_value = "{}")]
    json: String,
    /// Which question, where the contracts have several.
    #[arg(long, value_name = "NAME")]
    message: Option<String>,
    /// How long to wait for the answer, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    timeout: Duration,
    #[command(flatten)]
    attach: AttachArgs,
}

pub(crate) fn run(args: &AskArgs) -> outcome::Result {
    let Some((node, actor)) =
        args.path.split_once('/').filter(|(node, actor)| !node.is_empty() && !actor.is_empty())
    else {
        return Err(
            format!("`{}` is no path of an actor: write NODE/ACTOR, such as desk/risk", args.path).into()
        );
    };
    let contracts = args.attach.contracts()?;
    let writer = choose(&contracts, args.message.as_deref(), "a question (with `reply`)", |message| {
        message.reply.is_some()
    })?;
    let (header, bytes) = writer.write(&args.json)?;
    super::run(async |mut ends| {
        let attached = args.attach.node.of_node(node)?.attach(&contracts, &mut ends).await?;
        attached.check_enabled(std::iter::once(&*writer.message.name))?;
        // A service of the file stands for the node in which it runs; an address may be anybody's.
        let path = format!("{}/{actor}", attached.node);
        if *attached.node != *node && args.attach.node.is_address() {
            return Err(format!("`{}` answers there, and not `{node}`: ask {path}", attached.node).into());
        }
        let asked = attached.bus.ask_wire(&path, &header, &bytes, Some(args.timeout));
        let answer = tokio::select! {
            answer = asked => answer,
            () = ends.asked() => return Err(format!("interrupted while it waited for the answer of {path}").into()),
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let cause = match error {
                    AskError::Timeout(_) => format!("it has not answered within {:?}", args.timeout),
                    AskError::Remote(_, RemoteError::NotTaken) => {
                        format!("it takes no question `{}`", writer.message.name)
                    }
                    AskError::Remote(_, error) => format!("no answer: {error}"),
                    other => other.to_string(),
                };
                complain(format_args!("error: {path}: {cause}"));
                return Ok(Outcome::No);
            }
        };
        let header = answer.header();
        let found = contracts.iter().find_map(|of| Some((of, of.message_by_id(header.type_id)?)));
        let Some((contract, message)) = found else {
            return Err(format!(
                "{path} has answered with type id {}, which no contract has",
                header.type_id
            )
            .into());
        };
        let model = Model::new(contract);
        let root_len = header.root_len as usize;
        let values =
            decode::message(&model, message, header.version, root_len, answer.bytes()).map_err(|error| {
                format!("the answer of {path}, a `{}`, cannot be shown: {error}", message.name)
            })?;
        say(show::json(&model, &message.fields, &values))?;
        attached.end().await?;
        Ok(Outcome::Fine)
    })
}
