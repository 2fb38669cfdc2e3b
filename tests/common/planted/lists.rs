//! Which harnesses there are, and which of them is likely to find which bug.

/// Some tests with one idea.
pub struct Harness {
    pub name: &'static str,
    /// The test binary it is in.
    binary: &'static str,
    /// What the names of its tests begin with.
    pub tests: &'static [&'static str],
    /// What makes it take seconds only.
    pub budget: &'static [(&'static str, &'static str)],
}

impl Harness {
    const fn it(
        name: &'static str,
        tests: &'static [&'static str],
        budget: &'static [(&'static str, &'static str)],
    ) -> Harness {
        Harness { name, binary: "it", tests, budget }
    }

    /// Whether this binary has it.
    pub fn is_here(&self) -> bool {
        self.binary == env!("CARGO_CRATE_NAME")
    }
}

pub const HARNESSES: &[Harness] = &[
    Harness::it("model", &["model::"], &[("SILTSTONE_MODEL_OPS", "200000")]),
    Harness::it(
        "crash",
        &["crash::errors", "crash::random", "crash::recovery", "crash::small"],
        &[
            ("SILTSTONE_CRASH_IMAGES", "20000"),
            ("SILTSTONE_CRASH_ERRORS", "4000"),
            ("SILTSTONE_CRASH_SMALL", "1"),
        ],
    ),
    Harness::it("scripts", &["crash::scripted"], &[]),
    Harness::it("faults", &["faults::"], &[]),
    Harness::it("damage", &["damage::"], &[]),
    Harness::it("concurrency", &["concurrency::"], &[]),
    Harness::it("linear", &["linear::"], &[("SILTSTONE_LINEAR_OPS", "20000")]),
    Harness::it("transactions", &["transactions::"], &[]),
    Harness::it("kill", &["kill::"], &[("SILTSTONE_KILL_ROUNDS", "3")]),
    Harness::it("features", &["expiry::", "keyspaces::", "ranges::"], &[]),
    Harness::it("errors", &["errors::", "smoke::"], &[]),
    Harness::it("golden", &["golden::"], &[]),
    Harness {
        name: "net",
        binary: "net",
        tests: &[
            "concurrency::",
            "durability::",
            "fairness::",
            "framing::",
            "limits::",
            "misbehaviour::",
            "talk::",
        ],
        budget: &[],
    },
    Harness {
        name: "clients",
        binary: "net",
        tests: &["hostile::", "linear::"],
        budget: &[("SILTSTONE_HOSTILE_SECONDS", "2"), ("SILTSTONE_LINEAR_NET_OPS", "2000")],
    },
    Harness {
        name: "schedules",
        binary: "schedules",
        tests: &["closing::", "durability::", "ranges::", "reading::", "room::", "transactions::", "work::"],
        budget: &[("SILTSTONE_SCHEDULES", "2000")],
    },
    Harness {
        name: "simulation",
        binary: "schedules",
        tests: &["simulation::"],
        budget: &[("SILTSTONE_SIMULATIONS", "100")],
    },
];

/// Each bug with the harnesses that are likeliest to find it, in the order of `src/planted.rs`.
pub const BUGS: &[(&str, &[&str])] = &[
    ("SkipLogSync", &["crash"]),
    ("SyncNewestSegmentOnly", &["crash"]),
    ("SkipRecoveredLogSync", &["crash"]),
    ("SkipFolderSyncAfterCreate", &["crash"]),
    ("SkipFolderSyncAfterRename", &["crash"]),
    ("SkipTableSync", &["crash"]),
    ("RemoveLogBeforeEdit", &["crash"]),
    ("IntervalNeverSyncs", &["concurrency"]),
    ("AnswerBeforeDurable", &["net"]),
    ("RetryFailedSync", &["faults"]),
    ("IgnoreFailedAppend", &["faults"]),
    ("PublishBeforeLogged", &["faults"]),
    ("GoOnBehindFailedAppend", &["faults"]),
    ("ReuseSequence", &["crash"]),
    ("LeaveHalfEdit", &["faults"]),
    ("IgnorePoison", &["faults"]),
    ("EndLogSilently", &["damage"]),
    ("CutTooFar", &["crash"]),
    ("RollOverLosesEdit", &["scripts"]),
    ("StaysClean", &["crash"]),
    ("SkipLock", &["errors"]),
    ("AcceptNewerFormat", &["golden"]),
    ("UncheckedFilter", &["damage"]),
    ("ChecksumMissesLength", &["damage"]),
    ("VerifySkipsTables", &["damage"]),
    ("RepairHidesLosses", &["damage"]),
    ("DropTombstoneAboveBottom", &["model"]),
    ("ForgetSnapshots", &["model"]),
    ("ExpiredUncoversOlder", &["features"]),
    ("FlushForgetsRange", &["model"]),
    ("RangeIgnoresSnapshots", &["model"]),
    ("GapSurvivesPut", &["features"]),
    ("DropBeforeLogSync", &["features"]),
    ("RangeDoneTooEarly", &["model"]),
    ("OldestTableFirst", &["model"]),
    ("RemoveReadTable", &["concurrency"]),
    ("SeekMissesBlockEnd", &["model"]),
    ("LevelMissesLargestKey", &["model"]),
    ("FilterMissesFirstKey", &["model"]),
    ("ShareCacheSlot", &["model"]),
    ("BackwardTakesOlder", &["model"]),
    ("OlderVersionWins", &["model"]),
    ("ValidationSkipsRanges", &["transactions"]),
    ("GuardBeforeLock", &["transactions", "schedules"]),
    ("ForgetAbsentReads", &["transactions"]),
    ("LoseWakeUp", &["concurrency"]),
    ("BatchInTwoSteps", &["linear", "concurrency"]),
    ("VisibleBeforeApplied", &["concurrency"]),
    ("NumberBeforeView", &["schedules"]),
];
