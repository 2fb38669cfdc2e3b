//! The configuration file: TOML in, settings and all that is wrong out.
//!
//! The tree of the file is walked by the table of settings, so every error has its line, one error does not hide the next,
//! and a key that nobody knows is an error: a limit with a typing error in its name would be no limit.

use super::kind::{Kind, Raw};
use super::layer::{Given, Layer, Origin, read_secret_file};
use super::settings::Setting;
use super::suggest;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Reads the file at `path`.
pub fn read(path: &Path, table: &'static [Setting]) -> Layer {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(path, &text, table),
        Err(error) => {
            let mut layer = Layer::default();
            layer.problem(path.display(), format!("could not read the configuration: {error}"));
            layer
        }
    }
}

/// Reads `text`, which is that of the file at `path`.
pub fn parse(path: &Path, text: &str, table: &'static [Setting]) -> Layer {
    let (tree, errors) = DeTable::parse_recoverable(text);
    let mut walk = Walk { path, text, table, found: Vec::new() };
    for error in errors {
        let offset = error.span().map_or(text.len(), |span| span.start);
        walk.found.push((walk.line(offset), Err(error.message().replace('\n', ", "))));
    }
    // What is not TOML would be told a second time by what it seems to say.
    if walk.found.is_empty() {
        walk.walk(tree.get_ref(), "");
    }
    walk.finish()
}

/// A walk over the tree of a file.
struct Walk<'a> {
    path: &'a Path,
    text: &'a str,
    table: &'static [Setting],
    /// What was found, with the line.
    found: Vec<(usize, Result<Given, String>)>,
}

impl Walk<'_> {
    fn walk(&mut self, tree: &DeTable<'_>, section: &str) {
        for (key, value) in tree {
            let name = match section {
                "" => key.get_ref().to_string(),
                section => format!("{section}.{}", key.get_ref()),
            };
            let line = self.line(key.span().start);
            match value.get_ref() {
                DeValue::Table(inner) if self.is_section(&name) => self.walk(inner, &name),
                _ => {
                    let given = self.setting(&name, value, line);
                    self.found.push((line, given));
                }
            }
        }
    }

    /// True when settings, or sections with settings, have this in front of their names.
    fn is_section(&self, name: &str) -> bool {
        self.table
            .iter()
            .any(|setting| setting.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
    }

    fn setting(&self, name: &str, value: &Spanned<DeValue<'_>>, line: usize) -> Result<Given, String> {
        let origin = Origin::File { path: self.path.into(), line };
        if let Some(setting) = self.table.iter().find(|setting| setting.name == name) {
            let value = setting.kind.read(&raw(value.get_ref())).map_err(|why| format!("`{name}`: {why}"))?;
            return Ok(Given { setting, value, origin });
        }
        let secret = |setting: &&Setting| {
            matches!(setting.kind, Kind::Secret) && name.strip_suffix("_file") == Some(setting.name)
        };
        match (self.table.iter().find(secret), raw(value.get_ref())) {
            (Some(setting), Raw::Text(path)) => {
                let value = read_secret_file(Path::new(&path)).map_err(|why| format!("`{name}`: {why}"))?;
                Ok(Given { setting, value, origin })
            }
            (Some(_), _) => Err(format!("`{name}`: the path of a file is needed")),
            (None, _) if self.is_section(name) => {
                Err(format!("`{name}` is a section: its settings come below a line `[{name}]`"))
            }
            (None, _) => Err(format!("there is no setting `{name}`{}", suggest::near(name, self.names()))),
        }
    }

    fn names(&self) -> impl Iterator<Item = &'static str> {
        self.table.iter().flat_map(|setting| [setting.name, setting.parts().0])
    }

    /// The number of the line at `offset`, from 1.
    fn line(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
    }

    fn finish(mut self) -> Layer {
        self.found.sort_by_key(|(line, _)| *line);
        let mut layer = Layer::default();
        for (line, found) in self.found {
            let place = format!("{}:{line}", self.path.display());
            match found {
                Ok(given) if layer.has(given.setting) => {
                    layer.problem(
                        place,
                        format!("`{}` is given twice, here from a file of its own", given.setting.name),
                    );
                }
                Ok(given) => layer.given.push(given),
                Err(why) => layer.problem(place, why),
            }
        }
        layer
    }
}

fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Boolean(flag) => Raw::Flag(*flag),
        // In another base it comes without what says so.
        DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Raw::Whole(number.to_string()),
            Err(_) => Raw::Whole(number.to_string()),
        },
        DeValue::Array(list) => Raw::List(list.iter().map(|item| raw(item.get_ref())).collect()),
        DeValue::Float(_) => Raw::Other("a number with a fraction"),
        DeValue::Datetime(_) => Raw::Other("a date"),
        DeValue::Table(_) => Raw::Other("a section"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::SETTINGS;
    use super::super::testing::WITH_SECRET;
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        parse(Path::new("s.toml"), text, SETTINGS).problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_file_gives_settings_with_their_lines() {
        let text = "data_dir = \"x\"\nmemory = \"64 MiB\"\n\n[limits]\nmax_connections = 0x10\nidle_timeout = \"250ms\"\n\
                    max_line_bytes = 4_096\n[log]\nlevel = 'debug'\n";
        let layer = parse(Path::new("s.toml"), text, SETTINGS);
        assert!(layer.problems.is_empty(), "{:?}", layer.problems);
        let given: Vec<_> =
            layer.given.iter().map(|g| format!("{} {} {}", g.setting.name, g.value, g.origin)).collect();
        assert_eq!(
            given,
            [
                "data_dir \"x\" s.toml:1",
                "memory \"64 MiB\" s.toml:2",
                "limits.max_connections 16 s.toml:5",
                "limits.idle_timeout \"250ms\" s.toml:6",
                "limits.max_line_bytes \"4 KiB\" s.toml:7",
                "log.level \"debug\" s.toml:9",
            ]
        );
        assert_eq!(problems("limits.max_connections = 5\nlisten = [\"h:1\"]"), [""; 0]);
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once_with_its_line() {
        let text = "lisen = \"x:1\"\nmax_connections = 5\nmemory = true\nlimits = 3\n[log]\nlevel = \"inof\"\nformat = 1.5\n\
                    [limts]\nmax_connections = 5\n[nonsense]\n";
        assert_eq!(
            problems(text),
            [
                "s.toml:1: there is no setting `lisen`: did you mean `listen`?",
                "s.toml:2: there is no setting `max_connections`: did you mean `limits.max_connections`?",
                "s.toml:3: `memory`: this is true or false, and a size from 1280 KiB to 1024 GiB is needed",
                "s.toml:4: `limits` is a section: its settings come below a line `[limits]`",
                "s.toml:6: `log.level`: `inof` is no level: write error, warn, info, debug, trace or off, or target=level",
                "s.toml:7: `log.format`: this is a number with a fraction, and one of text, json is needed",
                "s.toml:8: there is no setting `limts`: did you mean `limits`?",
                "s.toml:10: there is no setting `nonsense`",
            ]
        );
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_lines() {
        let told = problems("memory = \nlisten = \"a:1\"\ndata_dir = \"x\ninterval = 1s\n");
        assert!(told.len() >= 2, "{told:?}");
        assert!(told[0].starts_with("s.toml:1: "), "{told:?}");
        assert!(told.iter().any(|line| line.starts_with("s.toml:3: ")), "{told:?}");
        assert!(
            problems("memory = \"2 MiB\"\nmemory = \"2 MiB\"\n")[0].starts_with("s.toml:2: duplicate key")
        );
        // Neither depth nor length of what a file holds ends the program.
        assert!(!problems(&format!("listen = {}", "[".repeat(100_000))).is_empty());
    }

    #[test]
    fn a_secret_comes_from_a_file_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "hunter2\n").unwrap();
        let text = format!("[door]\npassword_file = {path:?}\n");
        let layer = parse(Path::new("s.toml"), &text, WITH_SECRET);
        assert_eq!(layer.given[0].value, Kind::read_secret("hunter2").unwrap());
        for (text, why) in [
            ("[door]\npassword_file = \"/no/such/file\"\n", "s.toml:2: `door.password_file`: could not read"),
            ("[door]\npassword_file = 5\n", "the path of a file is needed"),
            (&format!("{text}password = \"x\"\n"), "s.toml:3: `door.password` is given twice"),
            ("[door]\nname_file = \"x\"\n", "there is no setting `door.name_file`"),
        ] {
            let layer = parse(Path::new("s.toml"), text, WITH_SECRET);
            assert!(layer.problems[0].to_string().contains(why), "{:?}", layer.problems);
        }
    }
}
