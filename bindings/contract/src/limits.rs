//! What a contract file may hold at most. Each bound turns hostile input into an error before it costs
//! anything.

/// Bytes of a contract file.
pub const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// YAML nodes (mappings, lists, scalars) of a file, counted after aliases are expanded.
pub const YAML_NODES_MAX: usize = 400_000;
/// Nested YAML mappings and lists.
pub const YAML_DEPTH_MAX: usize = 24;
/// Aliases (`*name`) of a file.
pub const YAML_ALIASES_MAX: usize = 1_000;
/// YAML events that all aliases of a file may expand to.
pub const YAML_ALIAS_EVENTS_MAX: usize = 20_000;
/// Bytes of a name: of messages, fields, types, variants, domains, topics, the schema.
pub const NAME_BYTES_MAX: usize = 64;
/// Bytes of a description.
pub const DESCRIPTION_BYTES_MAX: usize = 4_096;
/// Domains of a contract.
pub const DOMAINS_MAX: usize = 256;
/// Enums and structs of a contract, together.
pub const DEFINITIONS_MAX: usize = 2_048;
/// Messages of a contract.
pub const MESSAGES_MAX: usize = 4_096;
/// Messages, or keys, that one topic retains.
pub const RETAINED_MAX: u32 = 65_536;
/// Fields of one message, struct or variant.
pub const FIELDS_MAX: usize = 256;
/// Variants of one enum: the tag is a `u8`.
pub const VARIANTS_MAX: usize = 256;
/// Variants with fields of one enum: OCaml has no more constructors with arguments in one type.
pub const DATA_VARIANTS_MAX: usize = 246;
/// Bytes of a type's text, such as `Vec<Option<u64>>`.
pub const TYPE_BYTES_MAX: usize = 256;
/// Types nested in the text of one type.
pub const TYPE_DEPTH_MAX: usize = 8;
/// Definitions nested in one another below a message.
pub const NESTING_MAX: usize = 16;
/// Steps from a message to the innermost type in it: one for each definition, array and option, three for a
/// list or a text.
///
/// The compiler of Rust follows a type for 128 steps (`recursion_limit`) when it proves something of it, and
/// programs put messages into types of their own.
pub const STEPS_MAX: usize = 96;
/// Elements of an array: what fits into [`FIXED_BYTES_MAX`].
pub const ARRAY_LENGTH_MAX: u32 = 8_192;
/// Bytes that the fixed part of a message, a definition or an element of a list takes in memory, where a
/// `String`, `Bytes` or `Vec` takes 24.
///
/// Messages are moved by value. Unoptimised code keeps some twenty copies on the stack at once for a publish
/// and its handler, some seventy where a service publishes; the threads of a runtime have 2 MiB.
pub const FIXED_BYTES_MAX: u64 = 8_192;
/// Bytes of a value on the wire.
pub const VALUE_BYTES_MAX: u64 = 1 << 30;
/// Elements or bytes of a `min_length`, `max_length`.
pub const LENGTH_RULE_MAX: u32 = 1 << 30;
/// Operands of `one_of`.
pub const ONE_OF_MAX: usize = 256;
/// Nodes of one default.
pub const DEFAULT_NODES_MAX: usize = 1_024;
/// Type ids from here on belong to the framework, as does 0.
pub const RESERVED_IDS_FROM: u16 = 0xff00;
