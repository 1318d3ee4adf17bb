//! The table of a contract, line by line.

use std::collections::HashMap;
use std::fmt::{self, Write};

use super::text::{fnv1a, with_digest};
use super::{Definition, GrownEnum, Layout, Loaded, Loose, Offer, Part, Room, Root, Shape, Ty};

/// Bytes of a table.
const TABLE_MAX: usize = 4 << 20;
/// Enums and structs of a contract, together.
const DEFINITIONS_MAX: usize = 2_048;
/// Messages of a contract.
const MESSAGES_MAX: usize = 4_096;
/// Fields of one message, struct or variant, and variants of an enum.
const ENTRIES_MAX: usize = 256;
/// Bytes of a name.
const NAME_MAX: usize = 64;
/// Definitions nested in one another.
const NESTING_MAX: usize = 16;
/// Bytes of a root.
const ROOT_MAX: usize = 8_192;

/// A line of a table is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableError {
    /// The line, from 1; 0 when it is the table as a whole.
    pub line: usize,
    /// What is wrong.
    pub cause: String,
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, cause } = self;
        write!(f, "line {line} of the contract's table: {cause}; write the table anew from contracts.yaml")
    }
}

impl std::error::Error for TableError {}

type Parsed<T> = Result<T, String>;

pub(super) fn parse(table: &str) -> Result<Loaded, TableError> {
    if table.len() > TABLE_MAX {
        return Err(TableError { line: 0, cause: format!("it has more than {TABLE_MAX} bytes") });
    }
    // Kept text is kept for good, so nothing is kept of a table that is wrong.
    Parser::default().parse(table)?;
    Parser { keeps: true, ..Parser::default() }.parse(table)
}

/// What has been read of one definition or message.
struct Open {
    /// `None`: an enum or a struct.
    message: Option<Identity>,
    is_enum: bool,
    name: String,
    /// The records: one of a struct or message, one for each variant of an enum.
    records: Vec<Record>,
    /// The version of each variant.
    since: Vec<(String, u16)>,
}

struct Identity {
    type_id: u16,
    version: u16,
    topic: String,
}

#[derive(Default)]
struct Record {
    fields: Vec<Field>,
}

struct Field {
    name: String,
    since: u16,
    text: String,
    ty: Ty,
}

#[derive(Default)]
struct Parser {
    definitions: Vec<Definition>,
    names: HashMap<String, Option<usize>>,
    /// Of the messages.
    type_ids: HashMap<String, u16>,
    messages: Vec<Loose>,
    open: Option<Open>,
    /// Whether what it says of messages is to stay for as long as the process lives; else it is left out.
    keeps: bool,
}

impl Parser {
    fn parse(mut self, table: &str) -> Result<Loaded, TableError> {
        let mut count = 0;
        for (at, line) in table.lines().enumerate() {
            count = at + 1;
            self.line(at, line).map_err(|cause| TableError { line: at + 1, cause })?;
        }
        self.finish().map_err(|cause| TableError { line: count, cause })
    }

    fn line(&mut self, at: usize, line: &str) -> Parsed<()> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (at, word) {
            (0, _) if line == "mycelium contract 1" => Ok(()),
            (0, _) => Err("it does not begin with `mycelium contract 1`".to_owned()),
            (1, "schema") => Ok(()),
            (1, _) => Err("a table says its `schema` in its second line".to_owned()),
            (_, "enum" | "struct") => self.begin(word == "enum", name(rest)?, None),
            (_, "message") => {
                let words: Vec<_> = rest.split(' ').collect();
                let [name_of, type_id, version, topic] = words[..] else {
                    return Err("a message has a name, a type id, a version and a topic".to_owned());
                };
                let (type_id, version) = (number(type_id)?, number(version)?);
                if topic.is_empty() || topic.len() > NAME_MAX || version == 0 {
                    return Err(
                        "a message has a version from 1 on and a topic of at most 64 bytes".to_owned()
                    );
                }
                self.begin(
                    false,
                    name(name_of)?,
                    Some(Identity { type_id, version, topic: topic.to_owned() }),
                )
            }
            (_, "reply") => self.reply(rest),
            (_, "variant") => self.variant(rest),
            (_, "field") => self.field(rest),
            _ => Err(format!("{:?} begins no line of a table", clip(word))),
        }
    }

    fn begin(&mut self, is_enum: bool, name: String, message: Option<Identity>) -> Parsed<()> {
        self.close()?;
        if self.names.contains_key(&name) {
            return Err(format!("{name} is there already"));
        }
        let full = match message {
            Some(_) => self.messages.len() >= MESSAGES_MAX,
            None => self.definitions.len() >= DEFINITIONS_MAX,
        };
        if full {
            return Err("there are too many definitions or messages".to_owned());
        }
        let records = if is_enum { Vec::new() } else { vec![Record::default()] };
        self.open = Some(Open { message, is_enum, name, records, since: Vec::new() });
        Ok(())
    }

    fn reply(&mut self, rest: &str) -> Parsed<()> {
        self.close()?;
        let (query, answer) =
            rest.split_once(' ').ok_or("a reply has the names of a query and its answer")?;
        let find = |name: &str| {
            let found = self.type_ids.get(name).copied();
            found.ok_or_else(|| format!("{:?} is no message that was defined before", clip(name)))
        };
        let (type_id, answer) = (find(query)?, find(answer)?);
        let message = self.messages.iter_mut().find(|message| message.type_id == type_id);
        match message.map(|message| message.reply.replace(answer)) {
            Some(None) => Ok(()),
            _ => Err(format!("{query} has an answer already")),
        }
    }

    fn variant(&mut self, rest: &str) -> Parsed<()> {
        let (name_of, since) = rest.split_once(' ').ok_or("a variant has a name and a version")?;
        let open = self.open.as_mut().filter(|open| open.is_enum).ok_or("a variant belongs to an enum")?;
        let (name_of, since) = (name(name_of)?, number(since)?);
        let last = open.since.last().map_or(1, |(_, since)| *since);
        if since < last || (open.since.is_empty() && since != 1) {
            return Err("the versions of variants begin with 1 and never fall".to_owned());
        }
        if open.records.len() >= ENTRIES_MAX || open.since.iter().any(|(other, _)| *other == name_of) {
            return Err("an enum has at most 256 variants, of different names".to_owned());
        }
        open.since.push((name_of, since));
        open.records.push(Record::default());
        Ok(())
    }

    fn field(&mut self, rest: &str) -> Parsed<()> {
        let mut words = rest.splitn(3, ' ');
        let (Some(name_of), Some(since), Some(text)) = (words.next(), words.next(), words.next()) else {
            return Err("a field has a name, a version and a type".to_owned());
        };
        let (name_of, since) = (name(name_of)?, number(since)?);
        let find = |name: &str| self.names.get(name).copied().flatten();
        let ty = Ty::parse(text, &find)
            .ok_or_else(|| format!("{:?} is no type that was defined before", clip(text)))?;
        let open = self.open.as_mut().ok_or("a field belongs to a struct, a variant or a message")?;
        let newest = open.message.as_ref().map_or(1, |message| message.version);
        let record = open.records.last_mut().ok_or("a field of an enum belongs to a variant")?;
        // In the text of a digest its line would be that of a variant.
        if open.is_enum && name_of == "variant" {
            return Err("no field of a variant is called `variant`".to_owned());
        }
        let last = record.fields.last().map(|field| field.since);
        if last.map_or(since != 1, |last| since < last) || since > newest {
            return Err(
                "the versions of fields begin with 1, never fall, and are those of a message".to_owned()
            );
        }
        if record.fields.len() >= ENTRIES_MAX || record.fields.iter().any(|other| other.name == name_of) {
            return Err("a record has at most 256 fields, of different names".to_owned());
        }
        record.fields.push(Field { name: name_of, since, text: text.to_owned(), ty });
        Ok(())
    }

    fn finish(mut self) -> Parsed<Loaded> {
        self.close()?;
        self.messages.sort_by_key(|message| message.type_id);
        if let Some(two) = self.messages.windows(2).find(|two| two[0].type_id == two[1].type_id) {
            return Err(format!("two messages have the type id {}", two[0].type_id));
        }
        Ok(Loaded { definitions: self.definitions, messages: self.messages })
    }

    /// Ends what is open.
    fn close(&mut self) -> Parsed<()> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        if open.records.is_empty()
            || (open.message.is_none() && !open.is_enum && open.records[0].fields.is_empty())
        {
            return Err(format!("{} has nothing in it", open.name));
        }
        match open.message.take() {
            Some(identity) => {
                self.names.insert(open.name.clone(), None);
                self.type_ids.insert(open.name.clone(), identity.type_id);
                let message = self.message(&open, identity)?;
                self.messages.push(message);
            }
            None => {
                let definition = self.definition(open)?;
                self.names.insert(definition.name.clone(), Some(self.definitions.len()));
                self.definitions.push(definition);
            }
        }
        Ok(())
    }

    fn definition(&self, open: Open) -> Parsed<Definition> {
        let Open { name, records, since, is_enum, .. } = open;
        let unit = is_enum && records.iter().all(|record| record.fields.is_empty());
        let released = since.iter().take_while(|(_, since)| *since == 1).count();
        if is_enum && !unit && released < since.len() {
            return Err(format!("{name} has fields, so it cannot gain variants"));
        }
        let digest = |all: bool| {
            let mut text = format!("{} {name}\n", if is_enum { "enum" } else { "struct" });
            for (at, record) in
                records.iter().enumerate().take(if is_enum && !all { released } else { usize::MAX })
            {
                if is_enum {
                    let _ = writeln!(text, "variant {}", since[at].0);
                }
                self.fields_text(&record.fields, all, &mut text);
            }
            fnv1a(&text)
        };
        let (first, all) = (digest(false), digest(true));
        let used: Vec<_> =
            records.iter().flat_map(|record| &record.fields).filter_map(|f| f.ty.definition()).collect();
        let depth = 1 + used.iter().map(|at| self.definitions[*at].depth).max().unwrap_or_default();
        if depth > NESTING_MAX {
            return Err(format!("{name} nests more than {NESTING_MAX} definitions"));
        }
        let mut grown = self.grown(&used);
        let gained = (unit && released < since.len()).then(|| {
            grown.push(self.definitions.len());
            let names: Vec<&'static str> =
                since[released..].iter().map(|(name, _)| self.kept(name)).collect();
            // At most 255: the first release has one at least.
            let first = u8::try_from(released).unwrap_or(u8::MAX);
            GrownEnum { name: self.kept(&name), first, variants: self.all_kept(names) }
        });
        let trivial = !is_enum && records[0].fields.iter().all(|f| f.ty.is_trivial(&self.definitions));
        let (room, shape) = self.shape(records, is_enum)?;
        Ok(Definition { name, room, shape, first, all, grown, depth, trivial, gained })
    }

    fn shape(&self, records: Vec<Record>, is_enum: bool) -> Parsed<(Room, Shape)> {
        let mut all = Room { size: 0, align: 1, fixed: true };
        let mut parts = Vec::new();
        for record in records {
            let fields = record.fields.into_iter().map(|field| field.ty);
            let (room, record) = self.lay_out(fields, if is_enum { 1 } else { 0 })?;
            all.size = all.size.max(room.size);
            all.align = all.align.max(room.align);
            all.fixed &= room.fixed;
            parts.push(record);
        }
        all.size = all.size.next_multiple_of(all.align);
        let shape = if is_enum { Shape::Enum(parts) } else { Shape::Struct(parts.pop().unwrap_or_default()) };
        Ok((all, shape))
    }

    /// C's rule, from `from` bytes on.
    fn lay_out(&self, types: impl Iterator<Item = Ty>, from: usize) -> Parsed<(Room, Vec<Part>)> {
        let mut room = Room { size: from, align: 1, fixed: true };
        let mut parts = Vec::new();
        for ty in types {
            let of = ty.room(&self.definitions);
            let offset = room.size.next_multiple_of(of.align);
            room.size = offset.saturating_add(of.size);
            room.align = room.align.max(of.align);
            room.fixed &= of.fixed;
            if room.size > ROOT_MAX {
                return Err(format!("a record takes more than {ROOT_MAX} bytes"));
            }
            parts.push(Part { offset, ty });
        }
        room.size = room.size.next_multiple_of(room.align);
        Ok((room, parts))
    }

    fn message(&self, open: &Open, identity: Identity) -> Parsed<Loose> {
        let Identity { type_id, version, topic } = identity;
        let (name, fields) = (&open.name, &open.records[0].fields);
        let text = |count: usize, all: bool| {
            let mut text = format!("mycelium layout 1\nmessage {name}\n");
            self.fields_text(&fields[..count], all, &mut text);
            fnv1a(&text)
        };
        let mut versions: Vec<u16> =
            std::iter::once(1).chain(fields.iter().map(|field| field.since)).collect();
        versions.dedup();
        let (mut layouts, mut roots) = (Vec::new(), Vec::new());
        let mut fixed = true;
        for since in versions {
            let count = fields.iter().take_while(|field| field.since <= since).count();
            let types = || fields[..count].iter().filter_map(|field| self.again(&field.text));
            let (room, _) = self.lay_out(types(), 0)?;
            let root_len = u32::try_from(room.size).unwrap_or(u32::MAX);
            layouts.push(Layout { version: since, root_len, digest: text(count, false) });
            roots.push(Root { fields: count, align: room.align, fixed: room.fixed });
            fixed = room.fixed;
        }
        let digest = text(fields.len(), true);
        let used: Vec<_> = fields.iter().filter_map(|field| field.ty.definition()).collect();
        let mut enums: Vec<_> =
            self.grown(&used).iter().filter_map(|at| self.definitions[*at].gained).collect();
        enums.sort_by_key(|grown| grown.name);
        let name = self.kept(name);
        let (layouts, enums) = (self.all_kept(layouts), self.all_kept(enums));
        let offer = Offer { name, version, layouts, enums };
        let (_, fields) = self.lay_out(fields.iter().filter_map(|field| self.again(&field.text)), 0)?;
        let trivial = fields.iter().all(|field| field.ty.is_trivial(&self.definitions));
        let topic = self.kept(&topic);
        Ok(Loose { type_id, name, topic, reply: None, offer, digest, fields, roots, fixed, trivial })
    }

    /// A type that was read before.
    fn again(&self, text: &str) -> Option<Ty> {
        Ty::parse(text, &|name| self.names.get(name).copied().flatten())
    }

    fn fields_text(&self, fields: &[Field], all: bool, text: &mut String) {
        for field in fields {
            let of = field.ty.definition().map(|at| &self.definitions[at]);
            let digest = of.map_or(0, |of| if all { of.all } else { of.first });
            let ty = with_digest(&field.text, of.map(|of| of.name.as_str()), digest);
            let _ = writeln!(text, "{} {ty}", field.name);
        }
    }

    fn kept(&self, text: &str) -> &'static str {
        if self.keeps { String::leak(text.to_owned()) } else { "" }
    }

    fn all_kept<T>(&self, values: Vec<T>) -> &'static [T] {
        if self.keeps { Vec::leak(values) } else { &[] }
    }

    fn grown(&self, used: &[usize]) -> Vec<usize> {
        let mut grown: Vec<_> = used.iter().flat_map(|at| &self.definitions[*at].grown).copied().collect();
        grown.sort_unstable();
        grown.dedup();
        grown
    }
}

fn name(text: &str) -> Parsed<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if text.is_empty() || text.len() > NAME_MAX || !text.chars().all(is_word) {
        return Err(format!("{:?} is no name of at most 64 letters and digits", clip(text)));
    }
    Ok(text.to_owned())
}

fn number(text: &str) -> Parsed<u16> {
    text.parse().map_err(|_| format!("{:?} is no number below 65,536", clip(text)))
}

fn clip(text: &str) -> &str {
    text.char_indices().nth(40).map_or(text, |(end, _)| &text[..end])
}
