//! The flags that give settings: they win over the file and the environment.

use super::kind::{Kind, Value};
use super::layer::{Given, Layer, Origin};
use super::settings::Setting;
use crate::cli::open::DataDir;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// The flags of `serve`, and of what tells about its configuration.
#[derive(Debug, Clone, Default, Args)]
pub struct Flags {
    /// A file of settings, as `siltstone config sample` prints; SILTSTONE_CONFIG when not given
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where to listen; port 0 takes a free one, which is then printed; 127.0.0.1:9999 when nothing is given
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Where to listen besides for lines of text alone, whose clients wait to be greeted; customary is port 5000
    #[arg(long, value_name = "HOST:PORT")]
    listen_text: Option<String>,
    /// What an acknowledged write survives; `sync` when nothing is given
    #[arg(long, value_enum)]
    durability: Option<Level>,
    /// Listen also where other machines can connect although there are no users, so that whoever can connect can change everything
    #[arg(long)]
    allow_remote: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Level {
    /// A power cut: the write is on stable storage; clients that wait at the same time share one sync
    Sync,
    /// The end of the process; a power cut takes at most the last second, or what `interval` says
    Interval,
    /// The end of the process; a power cut leaves what the system has written by then
    Os,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Level::Sync => "sync",
            Level::Interval => "interval",
            Level::Os => "os",
        }
    }
}

/// Reads what the flags give.
pub fn read(flags: &Flags, data_dir: &DataDir, table: &'static [Setting]) -> Layer {
    let text = |text: &str, kind: &Kind| kind.read_text(text);
    let mut layer = Layer::default();
    let mut take = |flag: &'static str, name: &str, read: &dyn Fn(&Kind) -> Result<Value, String>| {
        let Some(setting) = table.iter().find(|setting| setting.name == name) else { return };
        match read(&setting.kind) {
            Ok(value) => layer.given.push(Given { setting, value, origin: Origin::Flag(flag) }),
            Err(why) => layer.problem(flag, why),
        }
    };
    if let Some(path) = data_dir.given() {
        take("--data-dir", "data_dir", &|_| Ok(Value::Path(path.into())));
    }
    if let Some(bytes) = data_dir.memory() {
        take("--memory", "memory", &|kind| text(&bytes.to_string(), kind));
    }
    if let Some(level) = flags.durability {
        take("--durability", "durability", &|kind| text(level.word(), kind));
    }
    if let Some(listen) = &flags.listen {
        take("--listen", "listen", &|kind| text(listen, kind));
    }
    if let Some(listen) = &flags.listen_text {
        take("--listen-text", "listen_text", &|kind| text(listen, kind));
    }
    if flags.allow_remote {
        take("--allow-remote", "allow_remote", &|_| Ok(Value::Flag(true)));
    }
    layer
}
