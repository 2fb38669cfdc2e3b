//! Settings as text: a sample of the file, what holds, and the reference of the documentation.

use super::Config;
use super::kind::{Kind, Value};
#[cfg(test)]
use super::settings::When;
use super::settings::{Preset, SETTINGS, Setting};
use std::fmt::Write;

/// How wide the comments of the sample are.
const WIDTH: usize = 90;

/// The sample of all settings.
pub fn all() -> String {
    sample(SETTINGS)
}

/// A file with every setting and its default, all of it comments but the sections: `#name = …` counts when the `#` goes.
pub(super) fn sample(table: &[Setting]) -> String {
    let mut out = String::from(
        "# The configuration of `siltstone serve --config FILE`. What begins with `#` and no space is a\n\
         # default: take the `#` away to choose otherwise. An environment variable, named beside each\n\
         # setting, wins over this file, and a flag wins over both. `siltstone config check FILE` tells\n\
         # what is wrong, `siltstone config show` what holds.\n\
         # Sizes are bytes, or have K, M, G, KiB, MiB, GiB; durations have ms, s, min, h.\n",
    );
    let mut last = "";
    for setting in table {
        let (section, name) = setting.parts();
        if section != last {
            let _ = write!(out, "\n[{section}]\n");
            last = section;
        }
        out.push('\n');
        wrap(&mut out, setting.doc);
        let variable = setting.variable();
        let _ = match (setting.kind, setting.preset) {
            (Kind::Secret, preset) => {
                let _ = writeln!(
                    out,
                    "# {variable}, or {variable}_FILE with the path of a file{}.",
                    instead(preset)
                );
                writeln!(out, "#{name}_file = \"path\"")
            }
            (kind, preset) => {
                let _ = writeln!(out, "# {variable}: {kind}{}.", instead(preset));
                writeln!(out, "#{name} = {}", value(setting))
            }
        };
    }
    out
}

/// What holds, as a file that says it, each setting with where it came from. Secrets are not shown.
pub fn show(config: &Config) -> String {
    let mut out = String::new();
    let mut last = "";
    for entry in &config.entries {
        let (section, name) = entry.setting.parts();
        if section != last {
            let _ = write!(out, "\n[{section}]\n");
            last = section;
        }
        let _ = match (&entry.value, entry.setting.preset) {
            (Some(Value::Secret(_)), _) => {
                writeln!(out, "# {name} is given and not shown  # {}", entry.origin)
            }
            (Some(value), _) => writeln!(out, "{name} = {value}  # {}", entry.origin),
            (None, Preset::Unset { instead, .. }) => writeln!(out, "# {name} is not given: {instead}"),
            (None, Preset::Is(_)) => writeln!(out, "# {name} is not given"),
        };
    }
    out
}

/// All settings as a table for a document.
#[cfg(test)]
pub(super) fn reference(table: &[Setting]) -> String {
    let mut out = String::from("| Setting | What it may be | Default | What it is |\n|---|---|---|---|\n");
    for setting in table {
        let default = match setting.preset {
            Preset::Is(_) => format!("`{}`", value(setting)),
            Preset::Unset { instead, .. } => instead.into(),
        };
        let reload = if setting.when == When::Reload { " SIGHUP reloads it." } else { "" };
        let _ =
            writeln!(out, "| `{}` | {} | {default} | {}{reload} |", setting.name, setting.kind, setting.doc);
    }
    out
}

/// The default, or the example, as it stands in a file.
fn value(setting: &Setting) -> String {
    let (Preset::Is(text) | Preset::Unset { example: text, .. }) = setting.preset;
    setting.kind.read_text(text).map_or_else(|_| text.into(), |value| value.to_string())
}

/// What happens without the setting, as the end of a sentence.
fn instead(preset: Preset) -> String {
    match preset {
        Preset::Is(_) => String::new(),
        Preset::Unset { instead, .. } => format!("; when not given, {instead}"),
    }
}

/// A comment of lines that are not too wide.
fn wrap(out: &mut String, text: &str) {
    let mut column = 0;
    for word in text.split(' ') {
        if column == 0 || column + word.len() > WIDTH {
            out.push_str(if column == 0 { "#" } else { "\n#" });
            column = 1;
        }
        let _ = write!(out, " {word}");
        column += 1 + word.len();
    }
    out.push('\n');
}
