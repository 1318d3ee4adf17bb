//! `cargo metadata`, reduced to what the checks ask.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Why one package needs another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Linked into the library or binary.
    Normal,
    /// Linked into a build script.
    Build,
    /// Linked into tests, examples and benches only.
    Dev,
}

/// An edge of the resolved graph.
#[derive(Clone, Debug)]
pub struct Dependency {
    /// The id of the package that is needed.
    pub id: String,
    /// Why it is needed.
    pub kind: Kind,
}

/// Something cargo compiles: a library, a binary, an example, a test.
#[derive(Clone, Debug)]
pub struct Target {
    /// Cargo's word for it: `lib`, `bin`, `test`, `example`, `bench`, `custom-build`, `proc-macro`.
    pub kind: String,
    /// The file of its root module.
    pub root: PathBuf,
}

/// A package of the workspace or of a registry.
#[derive(Clone, Debug)]
pub struct Package {
    /// The name in `Cargo.toml`.
    pub name: String,
    /// The folder relative to the workspace, for members; empty for others.
    pub folder: String,
    /// The SPDX expression, when the package states one.
    pub licence: Option<String>,
    /// Where it comes from; `None` for a path.
    pub source: Option<String>,
    /// Whether it is a member of the workspace.
    pub member: bool,
    /// The resolved edges.
    pub dependencies: Vec<Dependency>,
    /// What cargo compiles of it.
    pub targets: Vec<Target>,
}

/// All packages that the workspace can link, by id.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// The packages by cargo's id.
    pub packages: BTreeMap<String, Package>,
}

impl Graph {
    /// Asks cargo for the resolved graph of the workspace at `root`, with all features.
    ///
    /// # Errors
    /// When cargo cannot be run or answers something that is no metadata.
    pub fn read(root: &Path) -> Result<Self, GraphError> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--format-version", "1", "--all-features", "--locked"])
            .current_dir(root)
            .output()
            .map_err(|error| GraphError(format!("cargo metadata cannot be run: {error}")))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(GraphError(format!("cargo metadata failed: {said}")));
        }
        let json: Value = serde_json::from_slice(&output.stdout)
            .map_err(|error| GraphError(format!("cargo metadata is no JSON: {error}")))?;
        Self::parse(&json, root).ok_or_else(|| GraphError("cargo metadata lacks a field".to_owned()))
    }

    /// The members of the workspace.
    pub fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.values().filter(|package| package.member)
    }

    /// The names of all packages linked into `id` through edges of `Normal` kind, itself excluded.
    pub fn closure(&self, id: &str) -> BTreeSet<&str> {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut open = vec![id];
        while let Some(package) = open.pop().and_then(|id| self.packages.get(id)) {
            for edge in package.dependencies.iter().filter(|edge| edge.kind == Kind::Normal) {
                if seen.insert(&edge.id) {
                    open.push(&edge.id);
                }
            }
        }
        seen.iter().filter_map(|id| self.packages.get(*id)).map(|package| package.name.as_str()).collect()
    }

    fn parse(json: &Value, root: &Path) -> Option<Self> {
        let members: BTreeSet<&str> =
            json["workspace_members"].as_array()?.iter().filter_map(Value::as_str).collect();
        let mut packages = BTreeMap::new();
        for entry in json["packages"].as_array()? {
            let id = entry["id"].as_str()?;
            let manifest = Path::new(entry["manifest_path"].as_str()?).parent()?;
            let folder =
                manifest.strip_prefix(root).map(|path| path.display().to_string()).unwrap_or_default();
            let package = Package {
                name: entry["name"].as_str()?.to_owned(),
                folder,
                licence: entry["license"].as_str().map(str::to_owned),
                source: entry["source"].as_str().map(str::to_owned),
                member: members.contains(id),
                dependencies: Vec::new(),
                targets: entry["targets"].as_array()?.iter().filter_map(parse_target).collect(),
            };
            packages.insert(id.to_owned(), package);
        }
        for node in json["resolve"]["nodes"].as_array()? {
            let package = packages.get_mut(node["id"].as_str()?)?;
            package.dependencies = node["deps"].as_array()?.iter().flat_map(parse_edges).collect();
        }
        Some(Self { packages })
    }
}

/// The folder of the workspace this crate was compiled in.
pub fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// The graph could not be read; the message says why.
#[derive(Debug)]
pub struct GraphError(String);

impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for GraphError {}

fn parse_target(entry: &Value) -> Option<Target> {
    Some(Target {
        kind: entry["kind"].as_array()?.first()?.as_str()?.to_owned(),
        root: PathBuf::from(entry["src_path"].as_str()?),
    })
}

/// One edge per kind. Edges that exist for models only (`cfg(loom)`, `cfg(shuttle)`) are not part of what is
/// shipped.
fn parse_edges(entry: &Value) -> Vec<Dependency> {
    let Some(id) = entry["pkg"].as_str() else { return Vec::new() };
    let kinds = entry["dep_kinds"].as_array().map(Vec::as_slice).unwrap_or_default();
    let models = ["cfg(loom)", "cfg(shuttle)"];
    let shipped =
        kinds.iter().filter(|kind| !kind["target"].as_str().is_some_and(|cfg| models.contains(&cfg)));
    let edge = |kind: &Value| {
        let kind = match kind["kind"].as_str() {
            Some("dev") => Kind::Dev,
            Some("build") => Kind::Build,
            _ => Kind::Normal,
        };
        Dependency { id: id.to_owned(), kind }
    };
    shipped.map(edge).collect()
}
