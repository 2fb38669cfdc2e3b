//! The line that is typed: editing, completion, and what was typed before.

use super::words::{self, Line};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};
use std::path::{Path, PathBuf};

/// So many lines are kept.
const KEPT: usize = 1000;

/// Reads lines from a terminal.
pub struct Prompt {
    editor: Editor<Names, FileHistory>,
    history: Option<PathBuf>,
}

/// The names that complete.
struct Names(Vec<String>);

impl Prompt {
    /// One whose first words complete to these names.
    pub fn new(names: Vec<String>) -> anyhow::Result<Prompt> {
        let config = Config::builder()
            .max_history_size(KEPT)?
            .history_ignore_space(true)
            .completion_type(CompletionType::List)
            .build();
        let mut editor = Editor::with_config(config)?;
        editor.set_helper(Some(Names(names)));
        let history = history_file();
        if let Some(path) = &history {
            // The first time there is none.
            let _ = editor.load_history(path);
        }
        Ok(Prompt { editor, history })
    }

    /// The words of the next line, which is kept unless it carries a password; `None` at the end.
    pub fn read(&mut self, prompt: &str) -> anyhow::Result<Option<Vec<Vec<u8>>>> {
        let line = match self.editor.readline(prompt) {
            Ok(line) => line,
            // A line that is given up, as in other shells.
            Err(ReadlineError::Interrupted) => return Ok(Some(Vec::new())),
            Err(ReadlineError::Eof) => return Ok(None),
            Err(other) => return Err(other.into()),
        };
        let Line::Words(words) = words::split(&line) else { return Ok(Some(Vec::new())) };
        if !words.is_empty() && !words::is_secret(&words) && self.editor.add_history_entry(line)? {
            self.keep();
        }
        Ok(Some(words))
    }

    /// Appends what was typed to the file. Without one the shell goes on all the same.
    fn keep(&mut self) {
        let Some(path) = &self.history else { return };
        if let Some(folder) = path.parent()
            && (folder.is_dir() || std::fs::create_dir_all(folder).is_ok())
        {
            let _ = self.editor.append_history(path);
        }
    }
}

/// Where lines are kept: among the user's state, as the rules for folders of freedesktop.org say.
fn history_file() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local").join("state")));
    state.map(|state| state.join(Path::new("siltstone").join("history")))
}

impl Completer for Names {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = line.get(..pos).unwrap_or_default();
        let begin = typed.len() - typed.trim_start().len();
        let word = typed.trim_start();
        if word.contains(char::is_whitespace) {
            return Ok((pos, Vec::new()));
        }
        let lower = word.chars().any(|c| c.is_ascii_lowercase());
        let fits =
            |name: &&String| name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        let written = |name: &String| if lower { name.to_ascii_lowercase() } else { name.clone() };
        Ok((begin, self.0.iter().filter(fits).map(written).collect()))
    }
}

impl Validator for Names {
    fn validate(&self, line: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(match words::split(line.input()) {
            Line::Words(_) => ValidationResult::Valid(None),
            Line::Open => ValidationResult::Incomplete,
            Line::Wrong => ValidationResult::Invalid(Some("   a space is missing behind a quote".into())),
        })
    }
}

impl Hinter for Names {
    type Hint = String;
}

impl Highlighter for Names {}

impl Helper for Names {}

#[cfg(test)]
mod tests {
    use super::*;
    use rustyline::history::DefaultHistory;

    #[test]
    fn the_first_word_completes_as_it_was_begun() {
        let names = Names(["GET", "GETDEL", "SS.RANGE"].map(String::from).to_vec());
        let history = DefaultHistory::new();
        let complete = |line: &str| names.complete(line, line.len(), &Context::new(&history)).unwrap();
        assert_eq!(complete(" ge"), (1, vec!["get".into(), "getdel".into()]));
        assert_eq!(complete("GETD"), (0, vec!["GETDEL".into()]));
        assert_eq!(complete("ss."), (0, vec!["ss.range".into()]));
        assert_eq!(complete("GET k").1, Vec::<String>::new());
        assert_eq!(complete("é").1, Vec::<String>::new());
    }
}
