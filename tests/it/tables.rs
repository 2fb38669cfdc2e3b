//! The danger: documents change or vanish on their way into a table or out of it, wrong ones come in unsaid, or what is typed in
//! the shell means something else on a server than on a database.

use crate::program::{Place, Run, Server};

const SCHEMA: &str = r#"{"name": {"type": "str", "required": true, "unique": true}, "age": {"type": "int", "min": 18},
    "price": "any"}"#;

fn pk(n: usize) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}

fn printed(run: &Run) -> &str {
    std::str::from_utf8(&run.stdout).unwrap()
}

#[test]
fn what_is_dumped_of_a_table_loads_back_as_it_was() {
    let place = Place::new();
    let line = |n: usize| {
        let rest = r#""text":"\u00e5\ud83d\ude00 \"\\\n","list":[1.50,{"b":null,"a":[]}],"big":123456789012345678901234567890.10,"e":1E5"#;
        format!("{{{rest},\"pk\":\"{}\"}}\n", pk(n))
    };
    let all: String = (0..2500).rev().map(line).collect();
    place.file("in.ndjson", &all);
    let run = place.run(&["load", "in.ndjson", "--table", "shop/user"]);
    assert!(run.status == 0 && run.stderr.contains("loaded 2,500 entries"), "{run:?}");
    assert_eq!(place.ok(&["dump", "--table", "shop/user"]), all);
    let copy = ["load", "-", "--table", "other/user", "--data-dir", "copy"];
    assert_eq!(place.run_with_input(&copy, all.as_bytes()).status, 0);
    assert_eq!(place.ok(&["dump", "--table", "other/user", "--data-dir", "copy"]), all);
    // What is there already is refused by its name, and stays.
    let again = place.run(&["load", "in.ndjson", "--table", "shop/user"]);
    assert!(again.status == 1 && again.stderr.contains("2500 lines were refused"), "{again:?}");
    assert_eq!(place.ok(&["dump", "--table", "shop/user"]), all);
}

#[test]
fn wrong_documents_are_refused_one_by_one_with_all_that_is_wrong() {
    let place = Place::new();
    place.file("schema.json", SCHEMA);
    let lines = [
        r#"{"name": "Ada", "age": "36"}"#,
        r#"{"age": 7, "x": 1}"#,
        "",
        r#"{"name": "Ada"}"#,
        "{\"name\": ",
        "[1]",
        r#"{"name": "Bea"}"#,
    ];
    place.file("in.ndjson", lines.join("\n"));
    let load = ["load", "in.ndjson", "--table", "shop/user", "--schema", "schema.json"];
    let run = place.run(&load);
    assert!(run.status == 1 && run.stdout.is_empty() && run.stderr.contains("loaded 2 entries"), "{run:?}");
    for told in [
        r#"in.ndjson:2: refused: Invalid data. {"name":["Missing data for required field."],"age":["Must be greater than or equal to 18."],"x":["Unknown field."]}"#,
        "in.ndjson:4: refused: name:Ada is already exist.",
        "in.ndjson:5: refused: no JSON: ",
        r#"in.ndjson:6: refused: Invalid data. {"_schema":["Invalid input type."]}"#,
        "4 lines were refused",
    ] {
        assert!(run.stderr.contains(told), "{told}: {run:?}");
    }
    let dumped = place.ok(&["dump", "--table", "shop/user"]);
    assert!(
        dumped.starts_with(r#"{"name":"Ada","age":36,"pk":""#) && dumped.lines().count() == 2,
        "{dumped}"
    );
    place.file("in.ndjson", r#"{"name": "Cyd"}"#);
    place.ok(&load);
    place.file("schema.json", r#"{"name": "str"}"#);
    place.fails(&load, 1, "shop/user is there with another schema");
    place.file("schema.json", r#"{"name": "text"}"#);
    place.fails(&["load", "in.ndjson", "--table", "a/b", "--schema", "schema.json"], 1, "name.type");
    place.fails(&["load", "in.ndjson", "--table", "shop"], 2, "DATABASE/TABLE");
    place.fails(&["load", "in.ndjson", "--table", "a/b", "--key", "name"], 2, "--key");
    place.fails(&["dump", "--table", "shop/none"], 1, "(none) Table does not exist");
}

/// A backup without them would be none.
#[test]
fn a_plain_dump_tells_which_tables_it_leaves_out() {
    let place = Place::new();
    place.ok(&["put", "k", "v"]);
    let entry = "{\"key\":\"k\",\"value\":\"v\"}\n";
    assert_eq!(place.ok(&["dump"]), entry);
    place.file("in.ndjson", "{}");
    place.ok(&["load", "in.ndjson", "--table", "shop/user"]);
    place.ok(&["load", "in.ndjson", "--table", "shop/item"]);
    let run = place.run(&["dump"]);
    assert_eq!((run.status, printed(&run)), (1, entry));
    assert!(run.stderr.contains("2 tables of documents were left out"), "{run:?}");
    assert!(run.stderr.contains("(shop/item, shop/user)") && run.stderr.contains("checkpoint"), "{run:?}");
}

/// What is typed, and what is shown of it, in JSON.
fn talk() -> Vec<(String, String)> {
    let row = |name: &str, age: u32, n: usize| format!(r#"{{"name":"{name}","age":{age},"pk":"{}"}}"#, pk(n));
    let (ada, bea, cyd) = (row("Ada", 36, 1), row("Bea", 24, 2), row("Cyd", 60, 3));
    let schema = SCHEMA.replace('\n', " ");
    [
        ("tables shop", "[]".to_string()),
        (&*format!("create_table shop/user {schema}"), r#""shop/user""#.into()),
        ("tables shop", r#"["user"]"#.into()),
        (&*format!("insert shop/user {ada}"), ada.clone()),
        (&*format!("INSERT shop/user [{bea}, {cyd}]"), format!("[{bea},{cyd}]")),
        ("create_index shop/user {\"columns\": {\"age\": -1}}", r#""age_-1""#.into()),
        (r#"find shop/user {"age": {"$gt": 30}}"#, format!("[{ada},{cyd}]")),
        (r#"find shop/user sort age skip 1 limit 1 show ["name"]"#, r#"[{"name":"Ada"}]"#.into()),
        (r#"find shop/user {"name": "none"}"#, "[]".into()),
        ("count shop/user {}", "3".into()),
        (r#"distinct shop/user name {"age": {"$lt": 40}}"#, r#"["Ada","Bea"]"#.into()),
        (r#"update shop/user {"name": "Bea"} {"$inc": {"age": 1}}"#, "1".into()),
        (r#"upsert shop/user {"name": "Dee"} {"age": 50}"#, r#"{"count":0,"inserted":true}"#.into()),
        (r#"replace shop/user {"name": "Dee"} {"name": "Eve"}"#, "1".into()),
        (r#"find shop/user {"name": {"$in": ["Bea", "Eve"]}} show {"pk": 0}"#, r#"[{"name":"Bea","age":25},{"name":"Eve"}]"#.into()),
        (r#"remove shop/user {"name": "Eve"}"#, "1".into()),
        ("drop_index shop/user age_-1", r#""OK""#.into()),
        (
            "indexes shop/user",
            r#"[{"name":"pk","columns":[["pk",1]],"unique":true,"partial":null,"ready":true},{"name":"name","columns":[["name",1]],"unique":true,"partial":null,"ready":true}]"#.into(),
        ),
        ("drop_table shop/user", r#""OK""#.into()),
        (
            "find shop/user {}",
            r#"{"error":{"code":"TABLE_DOES_NOT_EXIST","message":"(user) Table does not exist"}}"#.into(),
        ),
        ("find shop", r#"{"error":{"code":"ERR","message":"`shop` is no table: write DATABASE/TABLE, as shop/user"}}"#.into()),
    ]
    .map(|(typed, shown)| (typed.to_string(), shown))
    .to_vec()
}

/// Each line gives the same on a database and on a server, but for what an error is about, which only a server tells.
#[test]
fn the_shell_says_the_same_on_a_database_and_on_a_server() {
    let (input, shown): (Vec<String>, Vec<String>) = talk().into_iter().unzip();
    let input = input.join("\n");
    let place = Place::new();
    place.ok(&["put", "a", "1"]);
    let local = place.run_with_input(&["shell", "--data-dir", "data", "--json"], input.as_bytes());
    let on_server = Place::new();
    let server = Server::start(&on_server, &[]);
    let remote = on_server.run_with_input(&["shell", &server.address, "--json"], input.as_bytes());
    for (run, about) in [(&local, ""), (&remote, r#" {\"table\":\"user\"}"#)] {
        assert_eq!(run.status, 1, "{run:?}");
        assert!(run.stderr.contains("2 of 21 commands refused"), "{run:?}");
        let found: Vec<&str> = printed(run).lines().collect();
        assert_eq!(found.len(), shown.len(), "{run:?}");
        for (found, shown) in found.iter().zip(&shown) {
            let shown = shown.replace("Table does not exist", &format!("Table does not exist{about}"));
            assert_eq!(*found, shown);
        }
    }
    // Keys are counted as before.
    assert_eq!(place.ok(&["shell", "--data-dir", "data", "-c", "COUNT"]), "1\n");
}

#[test]
fn the_shell_explains_and_goes_on_over_lines() {
    let place = Place::new();
    place.ok(&["put", "a", "1"]);
    let input = "create_table shop/user\ninsert shop/user {\n  \"n\": 1.50\n}\nexplain shop/user {\"pk\": \"x\"}\n\
                 schema shop/user\nfind shop/user {\"n\": 1.5} show [\"n\"]\nfind shop/user {\"$x\": 1}\n";
    let run = place.run_with_input(&["shell", "--data-dir", "data", "--formatted"], input.as_bytes());
    assert_eq!(run.status, 1, "{run:?}");
    let text = printed(&run);
    assert!(
        text.contains(r#"{"n":1.50,"pk":""#) && text.contains(r#""plan":"index","index":"pk""#),
        "{text}"
    );
    assert!(text.ends_with("(nil)\n1) {\"n\":1.50}\n"), "{text}");
    assert!(run.stderr.contains("(error) INVALID_QUERY Invalid query: $x:"), "{run:?}");
}

/// A server with a password lets nobody see documents without it, through the shell neither.
#[test]
fn the_shell_logs_in_for_documents_too() {
    let place = Place::new();
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("SILTSTONE_AUTH_PASSWORD", "hunter2");
    let server = Server::run(command);
    let args = ["shell", &server.address, "-c", "tables shop"];
    let ask = |password: &str| place.command(&args).env("SILTSTONE_PASSWORD", password).output().unwrap();
    assert_eq!(ask("hunter2").status.code(), Some(0));
    assert_eq!(ask("wrong").status.code(), Some(1));
    assert_eq!(ask("").status.code(), Some(1));
}
