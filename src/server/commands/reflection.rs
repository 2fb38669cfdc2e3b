//! COMMAND: what commands there are, told to clients.

use super::arguments::is;
use super::keys::unknown_subcommand;
use super::spec::{Commands, Flag, Spec};
use super::{Call, Outcome, Refusal, error};
use crate::dataset::glob;
use crate::protocol::Reply;
use crate::protocol::resp::Args;

/// COMMAND [COUNT | INFO name... | DOCS name... | LIST [FILTERBY PATTERN p] | GETKEYS command...]
pub(super) fn command(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    let (args, commands) = (call.args, call.commands);
    Ok(match args.at(1) {
        _ if args.len() == 1 => Reply::List(commands.all.iter().map(info).collect()),
        what if is(what, "count") => super::arguments::count(commands.all.len()),
        what if is(what, "info") && args.len() == 2 => Reply::List(commands.all.iter().map(info).collect()),
        what if is(what, "info") => {
            Reply::List(args.from(2).map(|name| (commands.find)(name).map_or(Reply::NullList, info)).collect())
        }
        what if is(what, "docs") => docs(commands, args),
        what if is(what, "list") => list(commands, args)?,
        what if is(what, "getkeys") && args.len() > 2 => keys(commands, args)?,
        what if is(what, "help") => Reply::List(vec![Reply::Status(
            "COMMAND [COUNT | INFO name... | DOCS name... | LIST [FILTERBY PATTERN pattern] | GETKEYS command...]".into(),
        )]),
        _ => return unknown_subcommand(args),
    }
    .into())
}

fn info(spec: &Spec) -> Reply {
    let (first, last, step) = spec.keys;
    let number = |number: i32| Reply::Number(number.into());
    let flags = spec.flags.iter().map(|flag| Reply::Status(flag_name(*flag).into()));
    let mut categories = vec![Reply::Status(category(spec).into())];
    categories.push(Reply::Status(if spec.has(Flag::Fast) { "@fast" } else { "@slow" }.into()));
    Reply::List(vec![
        Reply::bytes(spec.name),
        number(spec.arity),
        Reply::Set(flags.collect()),
        number(first),
        number(last),
        number(step),
        Reply::Set(categories),
        Reply::List(Vec::new()),
        Reply::List(Vec::new()),
        Reply::List(Vec::new()),
    ])
}

fn flag_name(flag: Flag) -> &'static str {
    match flag {
        Flag::Write => "write",
        Flag::Readonly => "readonly",
        Flag::Fast => "fast",
        Flag::Admin => "admin",
        Flag::NoAuth => "no_auth",
        Flag::Alone => "no_multi",
    }
}

fn category(spec: &Spec) -> &'static str {
    if spec.has(Flag::Write) {
        "@write"
    } else if spec.has(Flag::Admin) {
        "@admin"
    } else if spec.has(Flag::Readonly) {
        "@read"
    } else {
        "@connection"
    }
}

/// Those of the named commands that there are, or of all. Redis has long texts here; tools use the group and the arity.
fn docs(commands: &Commands, args: Args<'_>) -> Reply {
    let doc = |spec: &Spec| {
        let text = |name: &str, text: &str| (Reply::bytes(name), Reply::bytes(text));
        let fields = vec![
            text("summary", &format!("{}: as in Redis; see the documentation of Siltstone", spec.name)),
            text("since", "0.1.0"),
            text("group", category(spec).trim_start_matches('@')),
        ];
        (Reply::bytes(spec.name), Reply::Map(fields))
    };
    if args.len() == 2 {
        return Reply::Map(commands.all.iter().map(doc).collect());
    }
    Reply::Map(args.from(2).filter_map(commands.find).map(doc).collect())
}

fn list(commands: &Commands, args: Args<'_>) -> Result<Reply, Refusal> {
    let pattern = match (args.len(), args.get(2), args.get(3), args.get(4)) {
        (2, ..) => None,
        (5, Some(by), Some(what), Some(pattern)) if is(by, "filterby") && is(what, "pattern") => {
            Some(pattern)
        }
        (5, Some(by), Some(what), _) if is(by, "filterby") && (is(what, "module") || is(what, "aclcat")) => {
            return Ok(Reply::List(Vec::new()));
        }
        _ => return super::arguments::syntax(),
    };
    let shown = commands.all.iter().filter(|spec| {
        pattern.is_none_or(|pattern| glob::matches(&pattern.to_ascii_lowercase(), spec.name.as_bytes()))
    });
    Ok(Reply::List(shown.map(|spec| Reply::bytes(spec.name)).collect()))
}

fn keys(commands: &Commands, args: Args<'_>) -> Result<Reply, Refusal> {
    let command: crate::protocol::resp::args::OwnedArgs = args.from(2).collect();
    let Some(spec) = (commands.find)(command.args().name()) else {
        return error("ERR Invalid command specified");
    };
    if !spec.takes(command.args().len()) {
        return error("ERR Invalid number of arguments specified for command");
    }
    let keys: Vec<Reply> = spec.keys_of(command.args()).map(Reply::bytes).collect();
    if keys.is_empty() { error("ERR The command has no key arguments") } else { Ok(Reply::List(keys)) }
}
