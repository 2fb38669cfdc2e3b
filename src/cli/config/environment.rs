//! The environment: `SILTSTONE_LIMITS_MAX_CONNECTIONS` for `limits.max_connections`.
//!
//! (E1) An empty variable counts as one that is not there: so it is in files for containers, where a line cannot be absent.
//! (E2) A variable that nobody knows is no error, for the machine has its own: Kubernetes, for one, puts a
//!      `SILTSTONE_SERVICE_HOST` there for a service of that name. One that is nearly a setting's is warned of.
//! (E3) `RUST_LOG` is another name for `SILTSTONE_LOG_LEVEL`, and wins. As everywhere, what of it makes no sense is skipped.

use super::kind::{Kind, Value};
use super::layer::{Given, Layer, Origin, read_secret_file};
use super::settings::Setting;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

/// The variables there are.
pub type Variables = BTreeMap<OsString, OsString>;

/// The variable that names the configuration file.
pub const CONFIG: &str = "SILTSTONE_CONFIG";
/// The filter that programs in Rust have in common.
pub const RUST_LOG: &str = "RUST_LOG";

/// How many letters may be wrong in what is warned of: more, and it may be somebody else's.
const WRONG_LETTERS: usize = 2;

/// The environment of this process, without what is empty (E1).
pub fn variables() -> Variables {
    std::env::vars_os().filter(|(_, value)| !value.is_empty()).collect()
}

/// Reads what the environment gives.
pub fn read(variables: &Variables, table: &'static [Setting]) -> Layer {
    let mut layer = Layer::default();
    for setting in table {
        for (variable, found) in given(variables, setting) {
            match found {
                Ok(_) if layer.has(setting) => {
                    layer.problem(variable, format!("`{}` is given twice", setting.name));
                }
                Ok(value) => {
                    layer.given.push(Given { setting, value, origin: Origin::Environment(variable) })
                }
                Err(why) => layer.problem(variable, why),
            }
        }
    }
    if let Some(value) = variables.get(&OsString::from(RUST_LOG))
        && let Some(setting) = table.iter().find(|setting| setting.name == "log.level")
    {
        let value = Value::Text(value.to_string_lossy().into_owned());
        layer.given.push(Given { setting, value, origin: Origin::Environment(RUST_LOG.into()) });
    }
    layer.warnings = nearly(variables, table);
    layer
}

/// What the variables of a setting say, each with its name.
fn given(variables: &Variables, setting: &Setting) -> Vec<(String, Result<Value, String>)> {
    let mut found = Vec::new();
    let variable = setting.variable();
    if let Some(value) = variables.get(&OsString::from(&variable)) {
        let value = match (setting.kind, value.to_str()) {
            (Kind::Path, _) => Ok(Value::Path(PathBuf::from(value))),
            (kind, Some(text)) => kind.read_text(text),
            (_, None) => Err("this is no text in UTF-8".into()),
        };
        found.push((variable.clone(), value));
    }
    let from_file = format!("{variable}_FILE");
    if matches!(setting.kind, Kind::Secret)
        && let Some(path) = variables.get(&OsString::from(&from_file))
    {
        found.push((from_file, read_secret_file(path.as_ref())));
    }
    found
}

/// Warnings of variables that are nearly those of a setting (E2).
fn nearly(variables: &Variables, table: &[Setting]) -> Vec<String> {
    let known = |setting: &Setting| {
        let secret = matches!(setting.kind, Kind::Secret);
        let variable = setting.variable();
        [secret.then(|| format!("{variable}_FILE")), Some(variable)].into_iter().flatten().collect::<Vec<_>>()
    };
    let mut all: Vec<String> = table.iter().flat_map(known).collect();
    all.push(CONFIG.into());
    let names =
        variables.keys().filter_map(|name| name.to_str()).filter(|name| name.starts_with("SILTSTONE_"));
    names
        .filter(|name| !all.iter().any(|known| known == name))
        .filter_map(|name| {
            let distance = |known: &&String| strsim::damerau_levenshtein(name, known);
            let nearest = all.iter().min_by_key(distance).filter(|known| distance(known) <= WRONG_LETTERS)?;
            Some(format!("{name} is no setting, and is ignored: did you mean {nearest}?"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::settings::SETTINGS;
    use super::super::testing::{WITH_SECRET, vars};
    use super::*;

    #[test]
    fn variables_give_settings() {
        let layer = read(
            &vars(&[
                ("SILTSTONE_LIMITS_MAX_CONNECTIONS", "7"),
                ("SILTSTONE_ALLOW_REMOTE", "true"),
                ("SILTSTONE_LOG_LEVEL", "info"),
                ("RUST_LOG", "trace"),
                ("SILTSTONE_SERVICE_HOST", "10.0.0.1"),
                ("PATH", "x"),
            ]),
            SETTINGS,
        );
        let given: Vec<_> =
            layer.given.iter().map(|g| format!("{}={} {}", g.setting.name, g.value, g.origin)).collect();
        assert_eq!(
            given,
            [
                "allow_remote=true environment SILTSTONE_ALLOW_REMOTE",
                "limits.max_connections=7 environment SILTSTONE_LIMITS_MAX_CONNECTIONS",
                "log.level=\"info\" environment SILTSTONE_LOG_LEVEL",
                "log.level=\"trace\" environment RUST_LOG",
            ]
        );
        assert!(layer.problems.is_empty() && layer.warnings.is_empty(), "{layer:?}");
    }

    #[test]
    fn what_is_wrong_is_told_with_the_variable() {
        let layer = read(&vars(&[("SILTSTONE_MEMORY", "lots"), ("SILTSTONE_LITSEN", "h:1")]), SETTINGS);
        assert_eq!(layer.problems.len(), 1);
        assert!(layer.problems[0].to_string().starts_with("SILTSTONE_MEMORY: `lots` is no size"));
        assert_eq!(
            layer.warnings,
            ["SILTSTONE_LITSEN is no setting, and is ignored: did you mean SILTSTONE_LISTEN?"]
        );
    }

    #[test]
    fn a_secret_comes_as_text_or_by_its_file_but_not_both() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "hunter2\n").unwrap();
        let path = path.to_str().unwrap();
        let plain = ("SILTSTONE_DOOR_PASSWORD", "hunter2");
        let by_file = ("SILTSTONE_DOOR_PASSWORD_FILE", path);
        for variable in [plain, by_file] {
            let layer = read(&vars(&[variable]), WITH_SECRET);
            assert_eq!(layer.given[0].value, Kind::read_secret("hunter2").unwrap());
        }
        let layer = read(&vars(&[plain, by_file]), WITH_SECRET);
        assert_eq!(
            layer.problems[0].to_string(),
            "SILTSTONE_DOOR_PASSWORD_FILE: `door.password` is given twice"
        );
        let layer = read(&vars(&[("SILTSTONE_DOOR_PASSWORD_FILE", "/no/such/file")]), WITH_SECRET);
        assert!(layer.problems[0].to_string().contains("could not read /no/such/file"));
    }
}
