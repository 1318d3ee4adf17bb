//! `docs/topology.md`

use mycelium::topology::LocalNode;
use mycelium::wire::{Layout, Messages, Visitor, Wire};
use mycelium::{Message, MessageBus, Result, actor, service};

use super::block;

const PAGE: &str = include_str!("../../../docs/topology.md");

#[derive(Clone, Copy, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct Price {
    ticks: i64,
}
impl Message for Price {
    const NAME: &'static str = "Price";
    const TYPE_ID: u16 = 100;
    const TOPIC: &'static str = "market.prices";
}
impl Wire for Price {
    const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: Self::ROOT_LEN, digest: 1 }];
}

#[derive(Clone, Copy, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct Halt {
    desk: u32,
}
impl Message for Halt {
    const NAME: &'static str = "Halt";
    const TYPE_ID: u16 = 101;
    const TOPIC: &'static str = "desk.halts";
}
impl Wire for Halt {
    const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: Self::ROOT_LEN, digest: 2 }];
}

/// What generated code has.
#[derive(Clone, Copy)]
struct Contract;
impl Messages for Contract {
    fn each<V: Visitor>(&self, visitor: &mut V) {
        visitor.typed::<Price>();
        visitor.typed::<Halt>();
    }
}
const CONTRACT: Contract = Contract;

#[derive(Default)]
struct Execution;
#[actor]
impl Execution {
    #[on(direct)]
    fn note(&mut self, _: &u8) {}
}

#[derive(Default)]
struct Strategy;
#[actor]
impl Strategy {
    #[on(direct)]
    fn note(&mut self, _: &u8) {}
}

struct Feed;
#[service]
impl Feed {
    async fn run(&mut self, ctx: &mycelium::ServiceContext) -> Result {
        ctx.stopped().await;
        Ok(())
    }
}

mod program {
    use mycelium::tree::{Builder, RunEnd};
    use mycelium::{MainResult, Supervisor};

    use super::*;

    pub(super) fn services() -> Builder {
        Supervisor::builder("desk")
            .actor("execution", Execution::default)
            .actor("strategy", Strategy::default)
            .service("feed", || Feed)
    }

    #[tokio::main]
    pub(super) async fn main() -> MainResult<RunEnd> {
        let bus = MessageBus::builder().contract(CONTRACT);
        Ok(LocalNode::from_env()?.run(bus, services()).await?)
    }
}

mod one_service {
    use mycelium::tree::Child;
    use mycelium::{Exposed, Supervisor};

    use super::*;

    #[derive(Default)]
    struct Execution {
        halted: bool,
    }

    #[actor]
    impl Execution {
        #[on]
        fn halt(&mut self, _: &Halt) {
            self.halted = true;
        }
    }

    fn execution() -> Child {
        Child::exposed("execution", Execution::default, |it| Exposed::new().takes::<Halt>(it))
    }

    async fn stop_it(bus: &MessageBus) -> Result {
        let execution = bus.publisher_to::<Halt>("execution")?;
        Ok(execution.publish(Halt { desk: 7 }).await?)
    }

    /// On a bus that is called as the service is, without a topology.
    #[tokio::test]
    async fn it_is_told() -> Result {
        let bus = MessageBus::builder().node("execution").contract(CONTRACT).build();
        let tree = Supervisor::builder("desk").child(execution()).start(&bus).await?;
        stop_it(&bus).await?;
        tree.shutdown().await?;
        bus.shutdown().await?;
        Ok(())
    }
}

mod trees {
    use mycelium::MainResult;
    use mycelium::tree::{Factories, RunEnd};

    use super::*;

    type Limits = Execution;
    type Margin = Strategy;

    fn kinds() -> Factories {
        Factories::new().actor("limits", Limits::default).actor("margin", Margin::default)
    }

    #[tokio::main]
    pub(super) async fn main() -> MainResult<RunEnd> {
        let bus = MessageBus::builder().contract(CONTRACT);
        Ok(LocalNode::from_env()?.run(bus, kinds()).await?)
    }

    /// The node of the file runs a tree that says no more than that its services are there.
    #[tokio::test]
    async fn the_file() -> Result {
        let folder = std::env::temp_dir().join(format!("mycelium-page-trees-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("trees"))?;
        let file = folder.join("topology.toml");
        let nodes = block(PAGE, "### Trees in files", "toml");
        std::fs::write(&file, format!("[deployment]\nmode = \"bundled\"\n{nodes}"))?;
        let child = |id: &str| format!("[[tree.children]]\nid = \"{id}\"\nactor = \"{id}\"\n");
        let tree = format!("[tree]\n{}{}", child("limits"), child("margin"));
        std::fs::write(folder.join("trees/risk.toml"), tree)?;
        let node = LocalNode::open(&file, "risk")?;
        let (bus, tree) = node.start(MessageBus::builder().contract(CONTRACT), kinds()).await?;
        assert_eq!(tree.count_children("root").await?.active, 2);
        tree.shutdown().await?;
        bus.shutdown().await?;
        std::fs::remove_dir_all(folder)?;
        Ok(())
    }
}

/// Without a topology it says what it needs.
#[test]
fn the_program() {
    for error in [program::main().unwrap_err(), trees::main().unwrap_err()] {
        let error = error.to_string();
        assert!(error.contains("MYCELIUM_TOPOLOGY"), "{error}");
    }
}

/// Both nodes of the file run the services that it gives to them, each on its bus, and link.
#[tokio::test]
async fn the_file() -> Result {
    let folder = std::env::temp_dir().join(format!("mycelium-page-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("topology.toml");
    std::fs::write(&file, block(PAGE, "# Topologies", "toml"))?;
    let mut running = Vec::new();
    for (service, children) in [("feed", vec!["feed"]), ("strategy", vec!["strategy", "execution"])] {
        let node = LocalNode::open(&file, service)?;
        let (bus, tree) = node.start(MessageBus::builder().contract(CONTRACT), program::services()).await?;
        let started: Vec<_> =
            tree.which_children("desk").await?.into_iter().map(|child| child.id.to_string()).collect();
        assert_eq!(started, children);
        running.push((bus, tree));
    }
    for (bus, _tree) in running {
        bus.shutdown().await?;
    }
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
