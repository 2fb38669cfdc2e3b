use super::*;
use crate::document::value::Number;
use crate::random::Random;

fn parse(text: &str) -> Value {
    Value::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn schema(text: &str) -> Schema {
    Schema::parse(&parse(text)).unwrap_or_else(|refused| panic!("{text}: {refused}"))
}

fn tree(stored: Encoded) -> Value {
    stored.raw().to_value().unwrap()
}

impl Schema {
    fn inserted(&self, row: &Value) -> Result<Value, Violations> {
        self.insertion(Encoded::of(row).raw()).map(tree)
    }

    fn changed(&self, row: &Value) -> Result<Value, Violations> {
        self.partial(Encoded::of(row).raw()).map(tree)
    }
}

fn outcome(result: Result<Value, Violations>) -> String {
    match result {
        Ok(row) => row.to_string(),
        Err(violations) => format!("wrong: {}", violations.to_value()),
    }
}

/// What becomes of a row that is inserted; when it is stored, it is valid for good (S3).
#[track_caller]
fn check(spec: &str, row: &str, expected: &str) {
    let schema = schema(spec);
    let result = schema.inserted(&parse(row));
    assert_eq!(outcome(result.clone()), expected, "{spec} {row}");
    if let Ok(stored) = result {
        assert_eq!(outcome(schema.inserted(&stored)), expected, "{spec} {row} (K1)");
        assert_eq!(outcome(schema.changed(&stored)), expected, "{spec} {row} (K1)");
    }
}

/// The same for one column `a`, where a text is what is wrong with it.
#[track_caller]
fn check_one(spec: &str, value: &str, expected: &str) {
    let expected = match expected.starts_with(|first: char| first.is_ascii_uppercase()) {
        true => format!("wrong: {{\"a\":[{}]}}", Value::String(expected.into())),
        false => format!("{{\"a\":{expected}}}"),
    };
    check(&format!("{{\"a\":{spec}}}"), &format!("{{\"a\":{value}}}"), &expected);
}

#[test]
fn texts_of_what_is_absent_null_or_unknown() {
    for (spec, row, expected) in [
        (r#"{"a":{"type":"str","required":true}}"#, "{}", r#"wrong: {"a":["Missing data for required field."]}"#),
        (r#"{"a":{"type":"str","required":false}}"#, "{}", "{}"),
        (r#"{"a":"str"}"#, r#"{"a":null}"#, r#"wrong: {"a":["Field may not be null."]}"#),
        (r#"{"a":{"type":"str","min_length":3,"enum":["abc"]}}"#, r#"{"a":null}"#, r#"wrong: {"a":["Field may not be null."]}"#),
        (r#"{"a":{"type":"str","allow_none":true,"required":true}}"#, r#"{"a":null}"#, r#"{"a":null}"#),
        (r#"{"a":{"type":"any"}}"#, r#"{"a":null}"#, r#"wrong: {"a":["Field may not be null."]}"#),
        (r#"{"a":"str"}"#, r#"{"b":1}"#, r#"wrong: {"b":["Unknown field."]}"#),
        ("{}", "{}", "{}"),
        ("{}", "[]", r#"wrong: {"_schema":["Invalid input type."]}"#),
        (r#"{"a":"str"}"#, r#""a""#, r#"wrong: {"_schema":["Invalid input type."]}"#),
        (r#"{"a":"str"}"#, "null", r#"wrong: {"_schema":["Invalid input type."]}"#),
        (r#"{"fields":{"pk":"str","name":"str","age":"int"}}"#, r#"{"age":"7","name":"x"}"#, r#"{"name":"x","age":7}"#),
        // All of them at once: columns in their order, then `pk`, then what is no column as it came.
        (
            r#"{"c":{"type":"int","required":true},"a":"int","b":"str"}"#,
            r#"{"z":1,"pk":"1","b":2,"y":1,"a":"x"}"#,
            r#"wrong: {"c":["Missing data for required field."],"a":["Not a valid integer."],"b":["Not a valid string."],"#.to_owned().leak(),
        ),
    ] {
        if expected.ends_with(',') {
            let rest = r#""pk":["Not a valid UUID."],"z":["Unknown field."],"y":["Unknown field."]}"#;
            check(spec, row, &format!("{expected}{rest}"));
        } else {
            check(spec, row, expected);
        }
    }
}

#[test]
fn strings() {
    let both = r#"{"type":"str","min_length":2,"max_length":20}"#;
    let all = r#"{"a":{"type":"str","min_length":3,"pattern":"[a-z]","enum":["a","bb"]}}"#;
    for (spec, value, expected) in [
        (r#""str""#, r#""""#, r#""""#),
        (r#""str""#, "5", "Not a valid string."),
        (r#""str""#, "true", "Not a valid string."),
        (r#""str""#, r#"["a"]"#, "Not a valid string."),
        (both, r#""ab""#, r#""ab""#),
        (both, r#""a""#, "Length must be between 2 and 20."),
        (both, r#""abcdefghijklmnopqrstu""#, "Length must be between 2 and 20."),
        (r#"{"type":"str","min_length":2,"max_length":2}"#, r#""abc""#, "Length must be between 2 and 2."),
        (
            r#"{"type":"str","max_length":20}"#,
            r#""abcdefghijklmnopqrstu""#,
            "Length must be between 0 and 20.",
        ),
        (r#"{"type":"str","min_length":3}"#, r#""ab""#, "Shorter than minimum length 3."),
        (r#"{"type":"str","max_length":2}"#, "\"\u{1f600}é\"", r#""\ud83d\ude00\u00e9""#),
        (r#"{"type":"str","pattern":"[a-z]+"}"#, r#""abc1""#, r#""abc1""#),
        (r#"{"type":"str","pattern":"[a-z]+"}"#, r#""1abc""#, "String does not match expected pattern."),
        (r#"{"type":"str","pattern":"a|b"}"#, r#""cb""#, "String does not match expected pattern."),
        (r#"{"type":"str","pattern":"(?x)a # b"}"#, r#""ab""#, r#""ab""#),
        (r#"{"type":"str","pattern":"^\\d{2}$"}"#, r#""123""#, "String does not match expected pattern."),
        (r#"{"type":"str","enum":["a","bb"]}"#, r#""bb""#, r#""bb""#),
        (r#"{"type":"str","enum":["a","bb"]}"#, r#""b""#, "Must be one of: a, bb."),
    ] {
        check_one(spec, value, expected);
    }
    let texts = r#""Shorter than minimum length 3.","String does not match expected pattern.","Must be one of: a, bb.""#;
    check(all, r#"{"a":"1"}"#, &format!(r#"wrong: {{"a":[{texts}]}}"#));
}

#[test]
fn whole_numbers() {
    let range = r#"{"type":"int","min":18,"max":99}"#;
    for (spec, value, expected) in [
        (r#""int""#, "30", "30"),
        (r#""int""#, "30.0", "30"),
        (r#""int""#, "30.7", "30"),
        (r#""int""#, "-30.7", "-30"),
        (r#""int""#, "-0", "0"),
        (r#""int""#, r#""30""#, "30"),
        (r#""int""#, r#"" 7 ""#, "7"),
        (r#""int""#, r#""1_000""#, "1000"),
        (r#""int""#, "true", "Not a valid integer."),
        (r#""int""#, r#""7.5""#, "Not a valid integer."),
        (r#""int""#, "[1]", "Not a valid integer."),
        (r#""int""#, "123456789012345678901234567890", "123456789012345678901234567890"),
        (r#""int""#, "9007199254740993.0", "9007199254740993"),
        (r#""int""#, "1e400000", "Number too large."),
        (range, "17", "Must be greater than or equal to 18 and less than or equal to 99."),
        (range, "100", "Must be greater than or equal to 18 and less than or equal to 99."),
        (range, "99.9", "99"),
        (range, r#""18""#, "18"),
        (r#"{"type":"int","max":5}"#, "6", "Must be less than or equal to 5."),
        (r#"{"type":"int","min":5.50}"#, "5", "Must be greater than or equal to 5.50."),
        (
            r#"{"type":"int","max":9007199254740992}"#,
            "9007199254740993",
            "Must be less than or equal to 9007199254740992.",
        ),
        (r#"{"type":"int","enum":[1,2.0]}"#, r#""2""#, "2"),
        (r#"{"type":"int","enum":[1,2.50,1e3]}"#, "2", "Must be one of: 1, 2.5, 1000.0."),
    ] {
        check_one(spec, value, expected);
    }
    check(
        r#"{"a":{"type":"int","min":1,"max":2.5,"enum":[1,2]}}"#,
        r#"{"a":7}"#,
        r#"wrong: {"a":["Must be greater than or equal to 1 and less than or equal to 2.5.","Must be one of: 1, 2."]}"#,
    );
}

#[test]
fn floats() {
    let special = "Special numeric values (nan or infinity) are not permitted.";
    for (spec, value, expected) in [
        (r#""float""#, "3245", "3245.0"),
        (r#""float""#, "2.50", "2.5"),
        (r#""float""#, r#""1e3""#, "1000.0"),
        (r#""float""#, r#"" 2.5 ""#, "2.5"),
        (r#""float""#, "1e16", "1e+16"),
        (r#""float""#, "-0.0", "-0.0"),
        (r#""float""#, "9007199254740993", "9007199254740992.0"),
        (r#""float""#, "true", "Not a valid number."),
        (r#""float""#, r#""x""#, "Not a valid number."),
        (r#""float""#, "{}", "Not a valid number."),
        (r#""float""#, r#""nan""#, special),
        (r#""float""#, r#""inf""#, special),
        (r#""float""#, r#""-Infinity""#, special),
        (r#""float""#, "1e400", special),
        (r#"{"type":"float","min":0.0}"#, "-1", "Must be greater than or equal to 0.0."),
        (r#"{"type":"float","max":5}"#, "5.5", "Must be less than or equal to 5."),
        (r#"{"type":"float","min":0,"max":0.1}"#, "0.1", "0.1"),
        (r#"{"type":"float","enum":[0.1000000000000000055,2]}"#, "0.1", "0.1"),
        (r#"{"type":"float","enum":[0.10,2]}"#, "2", "2.0"),
        (r#"{"type":"float","enum":[0.10,2]}"#, "3", "Must be one of: 0.1, 2."),
    ] {
        check_one(spec, value, expected);
    }
}

#[test]
fn words_for_true_and_false() {
    for (words, expected) in [("t true y yes on 1", "true"), ("f false n no off 0", "false")] {
        for word in words.split(' ') {
            let capital = word[..1].to_uppercase() + &word[1..];
            for spelling in [word.into(), capital, word.to_uppercase()] {
                check_one(r#""bool""#, &format!("\"{spelling}\""), expected);
            }
        }
    }
    for (value, expected) in [
        ("true", "true"),
        ("1", "true"),
        ("1.0", "true"),
        ("false", "false"),
        ("0", "false"),
        ("-0.0", "false"),
    ] {
        check_one(r#""bool""#, value, expected);
    }
    for value in ["2", "0.5", r#""tRue""#, r#""oN""#, r#""""#, r#"" t""#, "[]", "{}", r#""truetrue""#] {
        check_one(r#""bool""#, value, "Not a valid boolean.");
    }
}

#[test]
fn dates_and_names() {
    let hyphens = r#""12345678-1234-5678-1234-56781234567f""#;
    for (spec, value, expected) in [
        (r#""date""#, r#""2025-07-07""#, r#""2025-07-07""#),
        (r#""date""#, r#""2025-7-7""#, r#""2025-07-07""#),
        (r#""date""#, r#""2025-02-30""#, "Not a valid date."),
        (r#""date""#, r#""2025-07-07T00:00:00""#, "Not a valid date."),
        (r#""date""#, "20250707", "Not a valid date."),
        (r#""datetime""#, r#""2025-07-07""#, r#""2025-07-07T00:00:00""#),
        (r#""datetime""#, r#""2025-07-07T18:21:00Z""#, r#""2025-07-07T18:21:00+00:00""#),
        (r#""datetime""#, r#""20250707T182100.5""#, r#""2025-07-07T18:21:00.500000""#),
        (r#""datetime""#, r#""today""#, "Not a valid datetime."),
        (r#""datetime""#, "5", "Not a valid datetime."),
        (r#"{"type":"datetime","format":"iso"}"#, r#""2025-07-07 18:21""#, r#""2025-07-07T18:21:00""#),
        (
            r#"{"type":"datetime","format":"rfc"}"#,
            r#""7 Jul 2025 18:21 GMT""#,
            r#""Mon, 07 Jul 2025 18:21:00 +0000""#,
        ),
        (r#"{"type":"datetime","format":"timestamp"}"#, r#""5""#, "5.0"),
        (r#"{"type":"datetime","format":"timestamp"}"#, "true", "Not a valid datetime."),
        (r#"{"type":"datetime","format":"timestamp_ms"}"#, "5", "5.0"),
        (r#"{"type":"datetime","format":"%d/%m/%Y"}"#, r#""7/7/2025""#, r#""07/07/2025""#),
        (r#""uuid""#, r#""12345678-1234-5678-1234-56781234567F""#, hyphens),
        (r#""uuid""#, r#""1234567812345678123456781234567f""#, hyphens),
        (r#""uuid""#, r#""{12345678-1234-5678-1234-56781234567f}""#, hyphens),
        (r#""uuid""#, r#""{1234567812345678123456781234567F}""#, hyphens),
        (r#""uuid""#, r#""urn:uuid:12345678-1234-5678-1234-56781234567f""#, hyphens),
        (r#""uuid""#, r#""1234567812345678123456781234567""#, "Not a valid UUID."),
        (r#""uuid""#, r#""12345678-1234-5678-1234-56781234567f0""#, "Not a valid UUID."),
        (r#""uuid""#, r#""é2345678123456781234567812345678""#, "Not a valid UUID."),
        (r#""uuid""#, "5", "Not a valid UUID."),
    ] {
        check_one(spec, value, expected);
    }
}

#[test]
fn objects_and_arrays() {
    let address = r#"{"address":{"type":"object","fields":{"zip":{"type":"str","required":true},"no":{"type":"int","default":"1"}}}}"#;
    let tags = r#"{"tags":{"type":"array","items":{"type":"int","allow_none":true,"max":9},"min_length":1,"max_length":3}}"#;
    let list = r#"{"l":{"type":"array","items":{"type":"object","fields":{"n":"int"}}}}"#;
    for (spec, row, expected) in [
        (address, r#"{"address":{"no":"7","zip":"1"}}"#, r#"{"address":{"zip":"1","no":7}}"#),
        (address, r#"{"address":{"zip":"1"}}"#, r#"{"address":{"zip":"1","no":1}}"#),
        (address, "{}", "{}"),
        (
            address,
            r#"{"address":{"x":1}}"#,
            r#"wrong: {"address":{"zip":["Missing data for required field."],"x":["Unknown field."]}}"#,
        ),
        (address, r#"{"address":[]}"#, r#"wrong: {"address":["Not a valid object."]}"#),
        (tags, r#"{"tags":["7",null,8.0]}"#, r#"{"tags":[7,null,8]}"#),
        (
            tags,
            r#"{"tags":[1,"x",10]}"#,
            r#"wrong: {"tags":{"1":["Not a valid integer."],"2":["Must be less than or equal to 9."]}}"#,
        ),
        (tags, r#"{"tags":[]}"#, r#"wrong: {"tags":["Length must be between 1 and 3."]}"#),
        (tags, r#"{"tags":"abc"}"#, r#"wrong: {"tags":["Not a valid array."]}"#),
        (
            list,
            r#"{"l":[{"n":1},{"n":"x"},3]}"#,
            r#"wrong: {"l":{"1":{"n":["Not a valid integer."]},"2":["Not a valid object."]}}"#,
        ),
        (
            r#"{"a":"object","b":"array","c":"any"}"#,
            r#"{"c":[1],"b":[{}],"a":{"z":[1.50]}}"#,
            r#"{"a":{"z":[1.50]},"b":[{}],"c":[1]}"#,
        ),
        (r#"{"a":"object"}"#, r#"{"a":1}"#, r#"wrong: {"a":["Not a valid object."]}"#),
        (r#"{"a":"array"}"#, r#"{"a":{}}"#, r#"wrong: {"a":["Not a valid array."]}"#),
        // Within, `pk` is a name like others.
        (r#"{"o":{"type":"object","fields":{"pk":"int"}}}"#, r#"{"o":{"pk":"1"}}"#, r#"{"o":{"pk":1}}"#),
    ] {
        check(spec, row, expected);
    }
}

#[test]
fn defaults_and_pk() {
    let spec = r#"{"pk":{"type":"int","no":1},"b":{"type":"int","default":" 5 "},"a":{"type":"float","required":true,"default":1},
                   "c":{"type":"str","default":null,"allow_none":true}}"#;
    let pk = r#""12345678123456781234567812345678""#;
    let stored = r#""12345678-1234-5678-1234-567812345678""#;
    for (row, expected) in [
        ("{}", r#"{"b":5,"a":1.0}"#.to_owned()),
        (r#"{"c":null,"b":6}"#, r#"{"b":6,"a":1.0,"c":null}"#.into()),
        (&format!("{{\"pk\":{pk},\"c\":\"x\"}}"), format!(r#"{{"b":5,"a":1.0,"c":"x","pk":{stored}}}"#)),
        (r#"{"pk":5}"#, r#"wrong: {"pk":["Not a valid UUID."]}"#.into()),
        (r#"{"pk":null}"#, r#"wrong: {"pk":["Field may not be null."]}"#.into()),
    ] {
        check(spec, row, &expected);
    }
    let schema = schema(spec);
    assert!(schema.to_value().get("pk").is_none());
    assert_eq!(schema.columns().map(Column::name).collect::<Vec<_>>(), ["b", "a", "c"]);
    assert_eq!(schema.column("pk").unwrap().kind(), Type::Uuid);
    assert!(schema.column("a").unwrap().is_required() && schema.column("d").is_none());
}

#[test]
fn changed_rows_may_lack_columns() {
    let schema = schema(
        r#"{"a":{"type":"int","required":true},"b":{"type":"int","default":1},
            "o":{"type":"object","fields":{"x":{"type":"int","required":true},"y":{"type":"int","default":1}}}}"#,
    );
    for (row, expected) in [
        ("{}", "{}"),
        (r#"{"o":{},"b":"41"}"#, r#"{"b":41,"o":{}}"#),
        (r#"{"a":null,"z":1}"#, r#"wrong: {"a":["Field may not be null."],"z":["Unknown field."]}"#),
        ("1", r#"wrong: {"_schema":["Invalid input type."]}"#),
    ] {
        assert_eq!(outcome(schema.changed(&parse(row))), expected, "{row}");
    }
}

#[test]
fn what_is_no_schema_is_refused_with_its_place() {
    let long = format!("{{\"{}\":\"int\"}}", "a".repeat(65));
    let deep = format!("{{\"a\":{}\"int\"{}}}", r#"{"type":"array","items":"#.repeat(25), "}".repeat(25));
    let many =
        format!("{{{}}}", (0..1001).map(|n| format!("\"a{n}\":\"int\"")).collect::<Vec<_>>().join(","));
    let patterns =
        (0..101).map(|n| format!(r#""a{n}":{{"type":"str","pattern":"a"}}"#)).collect::<Vec<_>>().join(",");
    for (text, at, why) in [
        ("[]", "", "an object is expected"),
        (r#"{"fields":{"a":{}}}"#, "fields.a", "the type is missing"),
        (r#"{"fields":{"a":"int"},"x":"int"}"#, "fields", "the type is missing"),
        (r#"{"a":5}"#, "a", "an object is expected"),
        (r#"{"a":"string"}"#, "a.type", "str, int, float"),
        (r#"{"a":{"type":5}}"#, "a.type", "str, int, float"),
        (r#"{"a b":"int"}"#, "a b", "letters, digits"),
        (r#"{"":"int"}"#, "", "letters, digits"),
        (r#"{"1a":"int"}"#, "1a", "begins with no digit"),
        (r#"{"é":"int"}"#, "é", "letters, digits"),
        (r#"{"../a":"int"}"#, "../a", "letters, digits"),
        (&long, &"a".repeat(65), "at most 64"),
        (r#"{"a":{"type":"int","callable_default":"f()"}}"#, "a.callable_default", "never run"),
        (r#"{"a":{"type":"int","requird":true}}"#, "a.requird", "known are type, allow_none, required"),
        (r#"{"a":{"type":"int","min_length":1}}"#, "a.min_length", "str, array has"),
        (r#"{"a":{"type":"str","items":"str"}}"#, "a.items", "array has"),
        (r#"{"a":{"type":"int","required":1}}"#, "a.required", "true or false"),
        (r#"{"a":{"type":"int","unique":"yes"}}"#, "a.unique", "true or false"),
        (r#"{"a":{"type":"str","min_length":-1}}"#, "a.min_length", "from 0 on"),
        (r#"{"a":{"type":"str","max_length":1.5}}"#, "a.max_length", "from 0 on"),
        (r#"{"a":{"type":"str","max_length":"5"}}"#, "a.max_length", "from 0 on"),
        (r#"{"a":{"type":"str","min_length":3,"max_length":2}}"#, "a.min_length", "more than `max_length`"),
        (r#"{"a":{"type":"int","min":"1"}}"#, "a.min", "a number"),
        (r#"{"a":{"type":"int","min":2,"max":1.9}}"#, "a.min", "more than `max`"),
        (r#"{"a":{"type":"str","enum":"a"}}"#, "a.enum", "1 to 1000 strings"),
        (r#"{"a":{"type":"str","enum":[]}}"#, "a.enum", "1 to 1000 strings"),
        (r#"{"a":{"type":"str","enum":[1]}}"#, "a.enum", "1 to 1000 strings"),
        (r#"{"a":{"type":"int","enum":["1"]}}"#, "a.enum", "1 to 1000 numbers"),
        (&format!(r#"{{"a":{{"type":"str","enum":["{}"]}}}}"#, "a".repeat(20_000)), "a.enum", "16384 bytes"),
        (r#"{"a":{"type":"str","pattern":5}}"#, "a.pattern", "a string"),
        (r#"{"a":{"type":"str","pattern":"(a"}}"#, "a.pattern", "unclosed group at byte 0"),
        (r#"{"a":{"type":"str","pattern":"a)|(b"}}"#, "a.pattern", "unopened group"),
        (r#"{"a":{"type":"str","pattern":"a(?=b)"}}"#, "a.pattern", "look-around"),
        (r#"{"a":{"type":"str","pattern":"(?<!b)a"}}"#, "a.pattern", "look-around"),
        (r#"{"a":{"type":"str","pattern":"(a)\\1"}}"#, "a.pattern", "backreferences"),
        (r#"{"a":{"type":"str","pattern":"\\p{Nope}"}}"#, "a.pattern", "Unicode property"),
        (r#"{"a":{"type":"str","pattern":"(\\w{100}){100}"}}"#, "a.pattern", "more than 1 MiB"),
        (
            &format!(r#"{{"a":{{"type":"str","pattern":"{}"}}}}"#, "a".repeat(5_000)),
            "a.pattern",
            "4096 bytes",
        ),
        (&format!("{{{patterns}}}"), "a100.pattern", "at most 100 patterns"),
        (r#"{"a":{"type":"datetime","format":"ISO"}}"#, "a.format", "timestamp_ms"),
        (r#"{"a":{"type":"datetime","format":"%c"}}"#, "a.format", "not known"),
        (r#"{"a":{"type":"datetime","format":1}}"#, "a.format", "a string"),
        (r#"{"a":{"type":"int","default":"x"}}"#, "a.default", "Not a valid integer."),
        (r#"{"a":{"type":"int","max":5,"default":6}}"#, "a.default", "less than or equal to 5."),
        (r#"{"a":{"type":"object","fields":[]}}"#, "a.fields", "an object is expected"),
        (r#"{"a":{"type":"object","fields":{"b":{"type":"int","min":[]}}}}"#, "a.fields.b.min", "a number"),
        (
            r#"{"a":{"type":"object","fields":{"b":{"type":"int","unique":true}}}}"#,
            "a.fields.b.unique",
            "the table itself",
        ),
        (
            r#"{"a":{"type":"array","items":{"type":"int","default":1}}}"#,
            "a.items.default",
            "elements of arrays",
        ),
        (r#"{"a":{"type":"array","items":["int"]}}"#, "a.items", "an object is expected"),
        (&deep, &format!("a{}", ".items".repeat(25)), "at most 24 deep"),
        (&many, "a1000", "at most 1000 columns"),
    ] {
        let refused = Schema::parse(&parse(text)).unwrap_err();
        assert!(refused.at == at && refused.why.contains(why), "{text}: {refused}");
    }
}

#[test]
fn a_schema_is_written_as_it_is_read() {
    for (text, expected) in [
        ("{}", ""),
        (r#"{"fields":{}}"#, "{}"),
        (r#"{"a":"int"}"#, r#"{"a":{"type":"int"}}"#),
        (r#"{"fields":{"type":"object","fields":{"type":{"type":"int"}}}}"#, ""),
        (r#"{"fields":{"fields":"str"}}"#, r#"{"fields":{"type":"str"}}"#),
        (
            r#"{"a":{"max":5.50,"type":"int","min":1,"default":"2","required":false}}"#,
            r#"{"a":{"type":"int","default":2,"min":1,"max":5.50}}"#,
        ),
        (
            r#"{"a":{"type":"str","required":true,"unique":true,"allow_none":true,"min_length":1,"max_length":2,"pattern":"a","enum":["a"]}}"#,
            "",
        ),
        (r#"{"a":{"type":"datetime"}}"#, r#"{"a":{"type":"datetime","format":"iso"}}"#),
        (
            r#"{"a":{"type":"datetime","format":"%Y %z"},"b":{"type":"float","enum":[0.10,1]},"c":"any","d":"bool"}"#,
            {
                r#"{"a":{"type":"datetime","format":"%Y %z"},"b":{"type":"float","enum":[0.10,1]},"c":{"type":"any"},"d":{"type":"bool"}}"#
            },
        ),
        (
            r#"{"a":{"type":"array","items":"str","max_length":3},"b":{"type":"object","fields":{"x":"date"}}}"#,
            {
                r#"{"a":{"type":"array","max_length":3,"items":{"type":"str"}},"b":{"type":"object","fields":{"x":{"type":"date"}}}}"#
            },
        ),
    ] {
        let schema = schema(text);
        let written = schema.to_value();
        assert_eq!(written.to_string(), if expected.is_empty() { text } else { expected });
        assert_eq!(Schema::parse(&written).unwrap(), schema);
    }
    let unique = schema(r#"{"b":{"type":"int","unique":true},"a":"int","c":{"type":"any","unique":true}}"#);
    assert_eq!(unique.unique_columns().collect::<Vec<_>>(), ["b", "c"]);
}

#[test]
fn of_millions_that_are_wrong_a_thousand_are_told() {
    let spec = schema(
        r#"{"l":{"type":"array","items":"int"},"o":{"type":"array","items":{"type":"object","fields":{"x":{"type":"int","required":true}}}},
            "z":{"type":"int","required":true}}"#,
    );
    let count = |violations: &Violations, name| match violations.to_value().get(name) {
        Some(Value::Object(members)) => members.len(),
        Some(_) => 1,
        None => 0,
    };
    let wrong = vec!["null"; 5_000].join(",");
    let violations = spec.inserted(&parse(&format!("{{\"l\":[{wrong}],\"o\":[{{}},{{}}]}}"))).unwrap_err();
    assert_eq!(
        ["l", "o", "z"].map(|name| count(&violations, name)),
        [1_000, 1, 1],
        "every column is told of (K2)"
    );
    let unknown = (0..5_000).map(|n| format!("\"u{n}\":1")).collect::<Vec<_>>().join(",");
    let violations = spec.inserted(&parse(&format!("{{{unknown},\"z\":1}}"))).unwrap_err();
    assert_eq!(count(&violations, "u999"), 1);
    assert_eq!(count(&violations, "u1000"), 0);
}

/// Ten thousand empty objects, each of which gets a default of 10,000 characters.
#[test]
fn defaults_do_not_fill_the_memory() {
    let text = "x".repeat(10_000);
    let spec = format!(
        r#"{{"l":{{"type":"array","items":{{"type":"object","fields":{{"x":{{"type":"str","default":"{text}"}}}}}}}}}}"#
    );
    let row = |count| parse(&format!("{{\"l\":[{}]}}", vec!["{}"; count].join(",")));
    assert!(schema(&spec).inserted(&row(1_000)).is_ok());
    let violations = schema(&spec).inserted(&row(10_000)).unwrap_err();
    assert!(violations.to_string().contains("longer than 16 MiB"));
}

/// Any JSON, with members and texts that mean something here.
fn any_value(random: &mut Random, depth: usize) -> Value {
    const TEXTS: [&str; 36] = [
        "",
        "a",
        "abc",
        "7",
        " 7 ",
        "7.5",
        "1e3",
        "nan",
        "inf",
        "true",
        "Yes",
        "int",
        "str",
        "float",
        "bool",
        "date",
        "datetime",
        "uuid",
        "object",
        "array",
        "any",
        "iso",
        "rfc",
        "timestamp",
        "timestamp_ms",
        "%Y-%m-%d",
        "%H:%M %z",
        "[a-z]+",
        "(a",
        "2025-07-07",
        "2025-07-07 18:21Z",
        "Mon, 07 Jul 2025 18:21:00 -0000",
        "18:21 +0530",
        "12345678123456781234567812345678",
        "é",
        "\u{1f600}",
    ];
    const NUMBERS: [&str; 16] = [
        "0",
        "-0",
        "1",
        "2",
        "-1",
        "7",
        "30.7",
        "-0.5",
        "1e3",
        "1e-5",
        "1e16",
        "1e400",
        "1e99999",
        "3245",
        "253402300800",
        "123456789012345678901234567890",
    ];
    match random.below(if depth == 0 { 5 } else { 8 }) {
        0 => Value::Null,
        1 => Value::Bool(random.flip()),
        2 => Value::Number(Number::parse(NUMBERS[random.below(NUMBERS.len())]).unwrap()),
        3 | 4 => Value::String(TEXTS[random.below(TEXTS.len())].into()),
        5 => Value::Array((0..random.below(4)).map(|_| any_value(random, depth - 1)).collect()),
        _ => any_object(random, depth),
    }
}

fn any_object(random: &mut Random, depth: usize) -> Value {
    const NAMES: [&str; 20] = [
        "a",
        "b",
        "c",
        "pk",
        "fields",
        "items",
        "type",
        "required",
        "allow_none",
        "unique",
        "default",
        "min_length",
        "max_length",
        "pattern",
        "enum",
        "min",
        "max",
        "format",
        "callable_default",
        "é",
    ];
    let mut members: Vec<(String, Value)> = Vec::new();
    for _ in 0..random.below(6) {
        let name = NAMES[random.below(NAMES.len())];
        if members.iter().all(|(other, _)| other != name) {
            members.push((name.into(), any_value(random, depth - 1)));
        }
    }
    Value::Object(members)
}

/// A specification that is sound as often as not.
fn any_spec(random: &mut Random, depth: usize) -> Value {
    let kind = ["str", "int", "float", "bool", "date", "datetime", "uuid", "any", "object", "array"]
        [random.below(10)];
    let mut members = vec![("type".to_owned(), Value::String(kind.into()))];
    let mut add = |name: &str, value: Value| members.push((name.into(), value));
    if depth == 0 || random.below(4) == 0 {
        return Value::String(kind.into());
    }
    for flag in ["required", "allow_none"] {
        if random.below(3) == 0 {
            add(flag, Value::Bool(random.flip()));
        }
    }
    let formats = [
        "iso",
        "rfc",
        "timestamp",
        "timestamp_ms",
        "%Y-%m-%d",
        "%d.%m.%y %H",
        "%H:%M %z",
        "%j",
        "%I %p",
        "%B",
        "%a %b %f",
    ];
    match kind {
        "str" if random.flip() => add("max_length", any_value(random, 0)),
        "str" => add("pattern", any_value(random, 0)),
        "int" | "float" if random.flip() => add("min", any_value(random, 0)),
        "int" | "float" => add("enum", any_value(random, 1)),
        "datetime" => add("format", Value::String(formats[random.below(formats.len())].into())),
        "object" => add("fields", any_schema(random, depth - 1)),
        "array" => add("items", any_spec(random, depth - 1)),
        _ => {}
    }
    if random.below(4) == 0 {
        add("default", any_value(random, 1));
    }
    Value::Object(members)
}

fn any_schema(random: &mut Random, depth: usize) -> Value {
    let names = ["a", "b", "c", "pk"];
    let columns = names.into_iter().filter(|_| random.below(4) > 0).collect::<Vec<_>>();
    Value::Object(columns.into_iter().map(|name| (name.into(), any_spec(random, depth))).collect())
}

/// A schema is refused or read; read, it is the same once more. A row is refused or stored; stored, it is the same once more.
#[test]
fn whatever_is_given_is_refused_or_stays_as_it_is() {
    let (mut schemas, mut rows) = (0, 0);
    for seed in 1..=30_000 {
        let mut random = Random::new(seed);
        let text = if random.below(4) == 0 { any_value(&mut random, 4) } else { any_schema(&mut random, 3) };
        let Ok(schema) = Schema::parse(&text) else { continue };
        schemas += 1;
        let again = Schema::parse(&schema.to_value());
        assert_eq!(again.as_ref(), Ok(&schema), "seed {seed}: {text}");
        for _ in 0..8 {
            let row =
                if random.below(8) == 0 { any_value(&mut random, 3) } else { any_object(&mut random, 3) };
            for is_partial in [false, true] {
                let store = |row: &Value| if is_partial { schema.changed(row) } else { schema.inserted(row) };
                match store(&row) {
                    Err(violations) => {
                        assert!(violations.to_value().to_string().len() > 10, "seed {seed}: {row}")
                    }
                    Ok(stored) => {
                        rows += 1;
                        assert_eq!(outcome(store(&stored)), stored.to_string(), "seed {seed}: {text} {row}");
                        assert_eq!(
                            schema.changed(&stored).as_ref(),
                            Ok(&stored),
                            "seed {seed}: {text} {row}"
                        );
                    }
                }
            }
        }
    }
    assert!(schemas > 5_000 && rows > 5_000, "too few are sound to tell: {schemas} schemas, {rows} rows");
}
