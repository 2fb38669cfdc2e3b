use super::*;
use crate::document::schema::datetime::Format;
use crate::random::Random;

fn parse(text: &str) -> Value {
    Value::parse(text).unwrap()
}

/// The document afterwards; the empty text when it is not changed.
#[track_caller]
fn check(update: &str, document: &str, expected: &str) {
    let parsed = Update::parse(&parse(update)).unwrap_or_else(|refused| panic!("{update}: {refused}"));
    let mut changed = parse(document);
    let differs = parsed.apply(&mut changed).unwrap_or_else(|refused| panic!("{update}: {refused}"));
    assert_eq!(differs, !expected.is_empty(), "{update} of {document}");
    assert_eq!(changed.to_string(), if differs { expected } else { document }, "{update} of {document}");
}

/// The update is sound, but not for this document.
#[track_caller]
fn check_refused(update: &str, document: &str, at: &str, why: &str) {
    let parsed = Update::parse(&parse(update)).unwrap_or_else(|refused| panic!("{update}: {refused}"));
    let mut changed = parse(document);
    let refused = parsed.apply(&mut changed).unwrap_err();
    assert!(refused.at == at && refused.why.contains(why), "{update} of {document}: {refused:?}");
    assert_eq!(changed, parse(document), "U1");
}

fn nested(depth: usize) -> String {
    format!("{}1{}", "[".repeat(depth), "]".repeat(depth))
}

#[test]
fn members_are_merged() {
    for (update, document, expected) in [
        ("{}", r#"{"a":1}"#, ""),
        (r#"{"a":1}"#, r#"{"a":1}"#, ""),
        (r#"{"a":1.0}"#, r#"{"a":1}"#, r#"{"a":1.0}"#),
        (r#"{"c":3,"a":null,"b":2}"#, r#"{"z":0,"a":{"x":1}}"#, r#"{"z":0,"a":null,"c":3,"b":2}"#),
        (r#"{"a":{"y":2}}"#, r#"{"a":{"x":1}}"#, r#"{"a":{"y":2}}"#),
        (r#"{"a.b":1,"":2}"#, r#"{"a":{"b":0}}"#, r#"{"a":{"b":0},"a.b":1,"":2}"#),
    ] {
        check(update, document, expected);
    }
}

#[test]
fn values_are_set_and_removed() {
    for (update, document, expected) in [
        (r#"{"$set":{}}"#, r#"{"a":1}"#, ""),
        (r#"{"$set":{"a":1}}"#, r#"{"a":1}"#, ""),
        (r#"{"$set":{"a":{"b":[]}}}"#, r#"{"a":1}"#, r#"{"a":{"b":[]}}"#),
        (
            r#"{"$set":{"a.b":2,"a.c.d":3,"e.f":4}}"#,
            r#"{"a":{"b":1}}"#,
            r#"{"a":{"b":2,"c":{"d":3}},"e":{"f":4}}"#,
        ),
        (r#"{"$set":{"a.0.b":1}}"#, "{}", r#"{"a":{"0":{"b":1}}}"#),
        (r#"{"$set":{"a.1":9}}"#, r#"{"a":[1,2]}"#, r#"{"a":[1,9]}"#),
        (r#"{"$set":{"a.3":4,"a.2":3}}"#, r#"{"a":[1,2]}"#, r#"{"a":[1,2,3,4]}"#),
        (r#"{"$set":{"a.1.b":2}}"#, r#"{"a":[1]}"#, r#"{"a":[1,{"b":2}]}"#),
        (r#"{"$set":{"a.0.1.b":2}}"#, r#"{"a":[[1,{"b":1}]]}"#, r#"{"a":[[1,{"b":2}]]}"#),
        (r#"{"$set":{"z":1},"$unset":{"y":1},"$inc":{"x":1}}"#, r#"{"y":0}"#, r#"{"z":1,"x":1}"#),
        (r#"{"$unset":{"a":"","c.d":""}}"#, r#"{"a":1,"b":2,"c":{"d":1,"e":2}}"#, r#"{"b":2,"c":{"e":2}}"#),
        (r#"{"$unset":{"a.b":""}}"#, r#"{"a":{"b":1}}"#, r#"{"a":{}}"#),
        (r#"{"$unset":{"x":1,"a.b.c":1,"s.t":1,"l.5":1,"l.6.x":1}}"#, r#"{"a":{},"s":"t","l":[1]}"#, ""),
        (r#"{"$unset":{"a.0":1,"a.1.b":1}}"#, r#"{"a":[1,{"b":2}]}"#, r#"{"a":[null,{}]}"#),
    ] {
        check(update, document, expected);
    }
}

#[test]
fn numbers_are_counted_exactly() {
    for (update, document, expected) in [
        (r#"{"$inc":{"a":1}}"#, r#"{"a":9007199254740992}"#, r#"{"a":9007199254740993}"#),
        (r#"{"$inc":{"a":0.2}}"#, r#"{"a":0.1}"#, r#"{"a":0.3}"#),
        (r#"{"$inc":{"a":-1.50}}"#, r#"{"a":1.5}"#, r#"{"a":0}"#),
        (r#"{"$inc":{"a":0.0}}"#, r#"{"a":1.50}"#, ""),
        (r#"{"$inc":{"a.b":1.50}}"#, "{}", r#"{"a":{"b":1.50}}"#),
        (r#"{"$inc":{"a.0":1,"a.1":1}}"#, r#"{"a":[1]}"#, r#"{"a":[2,1]}"#),
        (r#"{"$mul":{"a":1.1}}"#, r#"{"a":1.10}"#, r#"{"a":1.21}"#),
        (r#"{"$mul":{"a":1}}"#, r#"{"a":1e3}"#, ""),
        (r#"{"$mul":{"a":7}}"#, "{}", r#"{"a":0}"#),
        (r#"{"$mul":{"a":1e300}}"#, r#"{"a":1e300}"#, r#"{"a":1e600}"#),
    ] {
        check(update, document, expected);
    }
}

#[test]
fn the_less_or_the_more_stays() {
    for (update, document, expected) in [
        (r#"{"$min":{"a":5}}"#, r#"{"a":6}"#, r#"{"a":5}"#),
        (r#"{"$min":{"a":6}}"#, r#"{"a":5}"#, ""),
        (r#"{"$min":{"a":5.0}}"#, r#"{"a":5}"#, ""),
        (r#"{"$max":{"a":5.0}}"#, r#"{"a":5}"#, ""),
        (r#"{"$max":{"a":5.01}}"#, r#"{"a":5}"#, r#"{"a":5.01}"#),
        (r#"{"$max":{"a":"2026-01-02"}}"#, r#"{"a":"2026-01-01"}"#, r#"{"a":"2026-01-02"}"#),
        (r#"{"$max":{"a":"x"}}"#, r#"{"a":5}"#, r#"{"a":"x"}"#),
        (r#"{"$min":{"a":null}}"#, r#"{"a":5}"#, r#"{"a":null}"#),
        (r#"{"$min":{"a.b":5},"$max":{"c":6}}"#, "{}", r#"{"a":{"b":5},"c":6}"#),
    ] {
        check(update, document, expected);
    }
}

#[test]
fn values_are_pushed() {
    for (operand, list, expected) in [
        ("4", "[1]", "[1,4]"),
        ("[4,5]", "[1]", "[1,[4,5]]"),
        (r#"{"b":1}"#, "[]", r#"[{"b":1}]"#),
        (r#"{"$each":[4,5]}"#, "[1]", "[1,4,5]"),
        (r#"{"$each":[]}"#, "[1]", ""),
        (r#"{"$each":[8,9],"$position":0}"#, "[1,2]", "[8,9,1,2]"),
        (r#"{"$position":1,"$each":[8]}"#, "[1,2]", "[1,8,2]"),
        (r#"{"$each":[8],"$position":7}"#, "[1,2]", "[1,2,8]"),
        (r#"{"$each":[8],"$position":-1}"#, "[1,2]", "[1,8,2]"),
        (r#"{"$each":[8],"$position":-7}"#, "[1,2]", "[8,1,2]"),
        (r#"{"$each":[3,4],"$slice":3}"#, "[1,2]", "[1,2,3]"),
        (r#"{"$each":[3,4],"$slice":-3}"#, "[1,2]", "[2,3,4]"),
        (r#"{"$each":[3],"$slice":9}"#, "[1,2]", "[1,2,3]"),
        (r#"{"$each":[3],"$slice":-9}"#, "[1,2]", "[1,2,3]"),
        (r#"{"$each":[],"$slice":0}"#, "[1,2]", "[]"),
        (r#"{"$each":[3],"$slice":2}"#, "[1,2]", ""),
        (r#"{"$each":[3],"$position":0,"$slice":1e30}"#, "[1]", "[3,1]"),
        (r#"{"$each":[3],"$position":0,"$slice":2}"#, "[1,2]", "[3,1]"),
    ] {
        let expected = if expected.is_empty() { String::new() } else { format!(r#"{{"a":{expected}}}"#) };
        check(&format!(r#"{{"$push":{{"a":{operand}}}}}"#), &format!(r#"{{"a":{list}}}"#), &expected);
    }
    check(r#"{"$push":{"a.b":1}}"#, "{}", r#"{"a":{"b":[1]}}"#);
    check(r#"{"$push":{"a":{"$each":[1,2,3],"$slice":-2}}}"#, "{}", r#"{"a":[2,3]}"#);
    check(r#"{"$push":{"a":{"$each":[]}}}"#, "{}", r#"{"a":[]}"#);
    check(r#"{"$push":{"a.0.t":1}}"#, r#"{"a":[{"t":[]}]}"#, r#"{"a":[{"t":[1]}]}"#);
}

#[test]
fn values_are_added_to_sets() {
    for (operand, list, expected) in [
        ("2", "[1,2.0]", ""),
        ("3", "[1,2]", "[1,2,3]"),
        ("[1]", "[1]", "[1,[1]]"),
        (r#"{"x":1,"y":2}"#, r#"[{"y":2,"x":1.0}]"#, ""),
        (r#"{"$each":[3,1,3.0,4]}"#, "[1,1]", "[1,1,3,4]"),
        (r#"{"$each":[]}"#, "[1]", ""),
    ] {
        let expected = if expected.is_empty() { String::new() } else { format!(r#"{{"a":{expected}}}"#) };
        check(&format!(r#"{{"$addToSet":{{"a":{operand}}}}}"#), &format!(r#"{{"a":{list}}}"#), &expected);
    }
    check(r#"{"$addToSet":{"a.b":{"$each":[1,1.0,2]}}}"#, "{}", r#"{"a":{"b":[1,2]}}"#);
}

#[test]
fn elements_are_pulled() {
    for (operand, list, expected) in [
        ("2", "[1,2,2.0,3]", "[1,3]"),
        ("9", "[1]", ""),
        ("[1,2]", "[[1,2],[2,1],1]", "[[2,1],1]"),
        ("null", "[null,0]", "[0]"),
        (r#"{"$gte":2}"#, "[1,2,3,\"x\"]", "[1,\"x\"]"),
        (r#"{"$in":["x",1]}"#, "[1,2,\"x\"]", "[2]"),
        (r#"{"$eq":{"k":1}}"#, r#"[{"k":1},{"k":1,"n":2}]"#, r#"[{"k":1,"n":2}]"#),
        (r#"{"k":1}"#, r#"[{"k":1},{"k":1,"n":2},{"k":2},1]"#, r#"[{"k":2},1]"#),
        (r#"{"k":1,"n":{"$gt":2}}"#, r#"[{"k":1,"n":2},{"k":1,"n":3}]"#, r#"[{"k":1,"n":2}]"#),
        (r#"{"$or":[{"k":1},{"k":3}]}"#, r#"[{"k":1},{"k":2},{"k":3}]"#, r#"[{"k":2}]"#),
        ("{}", r#"[{"k":1},2]"#, "[2]"),
    ] {
        let expected = if expected.is_empty() { String::new() } else { format!(r#"{{"a":{expected}}}"#) };
        check(&format!(r#"{{"$pull":{{"a":{operand}}}}}"#), &format!(r#"{{"a":{list}}}"#), &expected);
    }
    check(r#"{"$pull":{"x":1,"s.t":1,"a.b.c":1}}"#, r#"{"a":{},"s":"t"}"#, "");
}

#[test]
fn values_get_other_names() {
    for (update, document, expected) in [
        (r#"{"$rename":{"a":"b"}}"#, r#"{"a":1,"c":2}"#, r#"{"c":2,"b":1}"#),
        (r#"{"$rename":{"a":"c"}}"#, r#"{"a":1,"c":2,"d":3}"#, r#"{"c":1,"d":3}"#),
        (r#"{"$rename":{"a.b":"c.d.e"}}"#, r#"{"a":{"b":[1]}}"#, r#"{"a":{},"c":{"d":{"e":[1]}}}"#),
        (r#"{"$rename":{"a.b":"a.c"}}"#, r#"{"a":{"b":1,"x":2}}"#, r#"{"a":{"x":2,"c":1}}"#),
        (r#"{"$rename":{"x":"y.z","s.t":"u","a.b.c":"l.0"}}"#, r#"{"s":"t","a":{},"l":[1]}"#, ""),
        (r#"{"$rename":{"a":"b"},"$set":{"c":1},"$unset":{"d":1}}"#, r#"{"a":1,"d":2}"#, r#"{"b":1,"c":1}"#),
        (r#"{"$rename":{"b":"a","c":"d"}}"#, r#"{"a":1,"b":2,"c":3}"#, r#"{"a":2,"d":3}"#),
    ] {
        check(update, document, expected);
    }
}

#[test]
fn what_is_no_update_is_refused_with_its_place() {
    let long = vec!["a"; 101].join(".");
    let deep = vec!["a"; 100].join(".");
    let clash = "another change";
    for (update, at, why) in [
        ("[]".to_owned(), "", "an object of changes"),
        (r#"{"a":1,"$set":{"b":1}}"#.into(), "$set", "do not go together"),
        (r#"{"$set":{"b":1},"a":1}"#.into(), "a", "do not go together"),
        (r#"{"$setOnInsert":{"a":1}}"#.into(), "$setOnInsert", "there are $set, $unset"),
        (r#"{"$pop":{}}"#.into(), "$pop", "no such operator"),
        (r#"{"$set":1}"#.into(), "$set", "an object is expected"),
        (r#"{"$rename":["a"]}"#.into(), "$rename", "an object is expected"),
        (r#"{"$set":{"a..b":1}}"#.into(), "$set.a..b", "no path"),
        (r#"{"$set":{"":1}}"#.into(), "$set.", "no path"),
        (r#"{"$set":{"a.$.b":1}}"#.into(), "$set.a.$.b", "no path"),
        (format!(r#"{{"$set":{{"{long}":1}}}}"#), &format!("$set.{long}"), "at most 100"),
        (r#"{"$inc":{"a":"1"}}"#.into(), "$inc.a", "a number is expected"),
        (r#"{"$mul":{"a":null}}"#.into(), "$mul.a", "a number is expected"),
        (r#"{"$push":{"a":{"$each":1}}}"#.into(), "$push.a.$each", "an array of values"),
        (r#"{"$push":{"a":{"$slice":1}}}"#.into(), "$push.a", "need `$each`"),
        (r#"{"$push":{"a":{"$each":[],"$sort":1}}}"#.into(), "$push.a.$sort", "there is $each, $position"),
        (r#"{"$push":{"a":{"$each":[],"b":1}}}"#.into(), "$push.a.b", "no such modifier"),
        (r#"{"$push":{"a":{"$each":[],"$slice":1.5}}}"#.into(), "$push.a.$slice", "a whole number"),
        (r#"{"$push":{"a":{"$each":[],"$position":"1"}}}"#.into(), "$push.a.$position", "a whole number"),
        (r#"{"$addToSet":{"a":{"$each":[],"$slice":1}}}"#.into(), "$addToSet.a.$slice", "there is $each"),
        (r#"{"$pull":{"a":{"$like":1}}}"#.into(), "$pull.a.$like", "no such operator"),
        (r#"{"$pull":{"a":{"b":{"$in":1}}}}"#.into(), "$pull.a.b.$in", "an array"),
        (r#"{"$rename":{"a":1}}"#.into(), "$rename.a", "the new path"),
        (r#"{"$rename":{"a":"$b"}}"#.into(), "$rename.a", "no path"),
        (r#"{"$rename":{"a":"a"}}"#.into(), "$rename.a", clash),
        (r#"{"$rename":{"a":"a.b"}}"#.into(), "$rename.a", clash),
        (r#"{"$rename":{"a":"b","c":"b"}}"#.into(), "$rename.c", clash),
        (r#"{"$set":{"a":1},"$inc":{"a":1}}"#.into(), "$inc.a", clash),
        (r#"{"$set":{"a.b":1},"$unset":{"a":1}}"#.into(), "$unset.a", clash),
        (r#"{"$set":{"a":1,"a.b.c":1}}"#.into(), "$set.a.b.c", clash),
        (format!(r#"{{"$set":{{"{deep}":[]}}}}"#), &format!("$set.{deep}"), "deeper"),
        (format!(r#"{{"$max":{{"{deep}":{{}}}}}}"#), &format!("$max.{deep}"), "deeper"),
        (format!(r#"{{"$push":{{"{deep}":1}}}}"#), &format!("$push.{deep}"), "deeper"),
        (format!(r#"{{"$addToSet":{{"{deep}":1}}}}"#), &format!("$addToSet.{deep}"), "deeper"),
    ] {
        let refused = Update::parse(&parse(&update)).unwrap_err();
        assert!(refused.at == at && refused.why.contains(why), "{update}: {refused:?}");
    }
    let refused = Update::parse(&Value::Object(vec![("a".into(), parse(&nested(100)))])).unwrap_err();
    assert!(refused.at == "a" && refused.why.contains("deeper"), "{refused:?}");
}

#[test]
fn what_cannot_be_done_to_a_document_is_refused_and_changes_nothing() {
    for (update, document, at, why) in [
        (r#"{"$set":{"a.b":1}}"#, r#"{"a":1}"#, "$set.a.b", "a number at `a`"),
        (r#"{"$set":{"a.b.c.d":1}}"#, r#"{"a":{"b":null}}"#, "$set.a.b.c.d", "null at `a.b`"),
        (r#"{"$set":{"a.b":1}}"#, r#"{"a":[{"b":1}]}"#, "$set.a.b", "an array at `a`"),
        (r#"{"$set":{"a.01":1}}"#, r#"{"a":[1,2]}"#, "$set.a.01", "name a place"),
        (r#"{"$unset":{"a.+1":1}}"#, r#"{"a":[1,2]}"#, "$unset.a.+1", "name a place"),
        (r#"{"$set":{"a.2":1}}"#, r#"{"a":[1]}"#, "$set.a.2", "1 elements"),
        (r#"{"$set":{"a.2.b":1}}"#, r#"{"a":[]}"#, "$set.a.2.b", "0 elements"),
        (r#"{"$set":{"x":1},"$inc":{"a":1}}"#, r#"{"a":"1"}"#, "$inc.a", "a string"),
        (r#"{"$unset":{"x":1},"$mul":{"a":1}}"#, r#"{"x":1,"a":true}"#, "$mul.a", "true or false"),
        (r#"{"$inc":{"a":1}}"#, r#"{"a":1e1000000}"#, "$inc.a", "more than 10000 digits"),
        (r#"{"$push":{"a":1}}"#, r#"{"a":{}}"#, "$push.a", "an object there"),
        (r#"{"$pull":{"a":1}}"#, r#"{"a":1}"#, "$pull.a", "a number there"),
        (r#"{"$addToSet":{"a":1}}"#, r#"{"a":null}"#, "$addToSet.a", "null there"),
        (r#"{"$rename":{"a.0":"b"}}"#, r#"{"a":[1]}"#, "$rename.a.0", "an array at `a`"),
        (r#"{"$rename":{"b":"a.0"}}"#, r#"{"a":[1],"b":2}"#, "$rename.b", "an array at `a`"),
        (r#"{"$rename":{"b":"a.c"}}"#, r#"{"a":1,"b":2}"#, "$rename.b", "a number at `a`"),
        (r#"{"$set":{"a":1}}"#, "[1]", "", "no object"),
        (r#"{"a":1}"#, "1", "", "no object"),
    ] {
        check_refused(update, document, at, why);
    }
}

#[test]
fn a_document_gets_as_deep_as_it_may_and_no_deeper() {
    let fits = format!(r#"{{"a":{}}}"#, nested(98));
    check(r#"{"$rename":{"a":"b.c"}}"#, &fits, &format!(r#"{{"b":{{"c":{}}}}}"#, nested(98)));
    check_refused(r#"{"$rename":{"a":"b.c.d"}}"#, &fits, "$rename.a", "deeper");
    let path = vec!["a"; 99].join(".");
    let update = Update::parse(&parse(&format!(r#"{{"$push":{{"{path}":1}}}}"#))).unwrap();
    let mut document = parse("{}");
    assert!(update.apply(&mut document).unwrap() && document.depth() == MAX_DEPTH);
}

#[test]
fn what_it_touches() {
    let touched = |text: &str| {
        let update = Update::parse(&parse(text)).unwrap();
        let names: Vec<String> = update.top_level().map(str::to_owned).collect();
        assert!(names.iter().all(|name| update.touches(name)) && !update.touches("pk2"), "{text}");
        names.join(" ")
    };
    assert_eq!(touched("{}"), "");
    assert_eq!(touched(r#"{"b":1,"a":2}"#), "b a");
    assert_eq!(touched(r#"{"$set":{"pk.x":1,"a.b":1},"$unset":{"a.c":1}}"#), "pk a");
    assert_eq!(touched(r#"{"$rename":{"a.b":"pk","c":"d"}}"#), "a pk c d");
}

/// Many members and many changes: a product of both would be 2,500,000,000 comparisons, three times.
#[test]
fn many_changes_of_many_members() {
    let members = |of: &dyn Fn(usize) -> String| {
        let members: Vec<String> = (0..50_000).map(|n| format!("\"m{n}\":{}", of(n))).collect();
        format!("{{{}}}", members.join(","))
    };
    let mut document = parse(&members(&|n| n.to_string()));
    let merge = Update::parse(&parse(&members(&|n| (n + 1).to_string()))).unwrap();
    assert!(merge.apply(&mut document).unwrap());
    assert_eq!(document.get("m49999").map(Value::to_string).as_deref(), Some("50000"));
    let rename =
        Update::parse(&parse(&format!(r#"{{"$rename":{}}}"#, members(&|n| format!("\"n{n}\""))))).unwrap();
    assert!(rename.apply(&mut document).unwrap());
    assert!(document.get("m0").is_none() && document.get("n0").is_some());
    let set: Vec<String> = (0..50_000).map(|n| n.to_string()).collect();
    let push = format!(r#"{{"$addToSet":{{"a":{{"$each":[{}]}}}}}}"#, set.join(","));
    let push = Update::parse(&parse(&push)).unwrap();
    assert!(push.apply(&mut document).unwrap() && !push.apply(&mut document).unwrap());
}

/// From few names, so that they often meet.
fn random_value(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth == 0 { 4 } else { 8 }) {
        0 => Value::Null,
        1 => Value::String(["", "a", "b"][random.below(3)].into()),
        2 | 3 => parse(["0", "1", "1.0", "-2.5", "1e30", "7", "1e20000"][random.below(7)]),
        4 | 5 => Value::Array((0..random.below(4)).map(|_| random_value(random, depth - 1)).collect()),
        _ => random_object(random, depth),
    }
}

fn random_object(random: &mut Random, depth: usize) -> Value {
    let mut members: Vec<(String, Value)> = Vec::new();
    for name in ["a", "b", "0", "c"] {
        if random.flip() {
            members.push((name.into(), random_value(random, depth - 1)));
        }
    }
    Value::Object(members)
}

fn random_path(random: &mut Random) -> String {
    let names = (0..1 + random.below(3)).map(|_| ["a", "b", "c", "0", "1", "2"][random.below(6)]);
    names.collect::<Vec<_>>().join(".")
}

fn random_update(random: &mut Random) -> Value {
    let mut operators = Vec::new();
    for _ in 0..1 + random.below(3) {
        let name =
            operator::NAMES.split([',', ' ']).filter(|name| name.starts_with('$')).nth(random.below(10));
        let name = name.unwrap().to_owned();
        let operand = match &*name {
            "$rename" => Value::String(random_path(random)),
            "$inc" | "$mul" => parse(["1", "-2.5", "0", "1e300", "2e9000"][random.below(5)]),
            "$push" | "$addToSet" if random.flip() => {
                let each = Value::Array((0..random.below(3)).map(|_| random_value(random, 1)).collect());
                let slice = ("$slice".to_owned(), parse(["0", "1", "-2"][random.below(3)]));
                let sliced = name == "$push" && random.flip();
                Value::Object(
                    [("$each".to_owned(), each)].into_iter().chain(sliced.then_some(slice)).collect(),
                )
            }
            "$pull" if random.flip() => parse(r#"{"$gte":1}"#),
            _ => random_value(random, 2),
        };
        let operand = Value::Object(vec![(random_path(random), operand)]);
        if operators.iter().all(|(other, _)| *other != name) {
            operators.push((name, operand));
        }
    }
    Value::Object(operators)
}

/// No update brings it down, none leaves half of itself behind (U1), and what it touches is what it says.
#[test]
fn any_update_is_done_or_not() {
    let mut random = Random::new(1);
    let (mut done, mut refused) = (0, 0);
    for round in 0..100_000 {
        let (before, text) = (random_object(&mut random, 3), random_update(&mut random));
        let Ok(update) = Update::parse(&text) else { continue };
        let mut after = before.clone();
        match update.apply(&mut after) {
            Ok(differs) => {
                done += 1;
                assert_eq!(differs, after != before, "round {round}: {text} of {before}");
                assert_eq!(
                    Value::parse(&after.to_string()).as_ref(),
                    Ok(&after),
                    "round {round}: {text} of {before}"
                );
            }
            Err(why) => {
                refused += 1;
                assert_eq!(after, before, "round {round}: {text}, {why}");
            }
        }
        let names = ["a", "b", "c", "0", "1", "2"];
        for name in names.iter().filter(|name| !update.touches(name)) {
            assert_eq!(after.get(name), before.get(name), "round {round}: {text} of {before}");
        }
    }
    assert!(done > 10_000 && refused > 10_000, "{done} {refused}");
}

/// Documents and values just as deep as they may be, or almost.
#[test]
fn no_update_makes_a_document_too_deep() {
    let mut random = Random::new(2);
    for round in 0..2000 {
        let name = ["$set", "$push", "$addToSet", "$max", "$rename"][random.below(5)];
        let path = vec!["a"; 1 + random.below(100)].join(".");
        let to = format!("b{}", ".b".repeat(random.below(99)));
        let operand = if name == "$rename" { format!("\"{to}\"") } else { nested(random.below(90)) };
        let Ok(update) = Value::parse(&format!(r#"{{"{name}":{{"{path}":{operand}}}}}"#)) else { continue };
        let Ok(update) = Update::parse(&update) else { continue };
        let way = "{\"a\":".repeat(1 + random.below(20));
        let mut document = parse(&format!("{way}{}{}", nested(random.below(80)), "}".repeat(way.len() / 5)));
        let before = document.depth();
        let result = update.apply(&mut document);
        assert!(document.depth() <= MAX_DEPTH, "round {round}");
        assert!(result.is_ok() || document.depth() == before, "round {round}");
    }
}

/// `2024-01-01T11:00+02:00` is 9 o'clock, and so before `10:00Z`, although its text comes after.
#[test]
fn columns_of_dates_are_compared_as_moments() {
    let moments = |path: &Path| match path.names().last() {
        Some("at") => Collation::Instant(Format::default()),
        _ => Collation::Plain,
    };
    let (early, late) = ("2024-01-01T11:00:00+02:00", "2024-01-01T10:00:00+00:00");
    let same = "2024-01-01T09:00:00+00:00";
    for (update, document, expected) in [
        (r#"{"$min":{"at":EARLY}}"#, r#"{"at":LATE}"#, r#"{"at":EARLY}"#),
        (r#"{"$min":{"at":LATE}}"#, r#"{"at":EARLY}"#, r#"{"at":EARLY}"#),
        (r#"{"$max":{"n.at":LATE}}"#, r#"{"n":{"at":EARLY}}"#, r#"{"n":{"at":LATE}}"#),
        (r#"{"$max":{"at":SAME}}"#, r#"{"at":EARLY}"#, r#"{"at":EARLY}"#),
        (r#"{"$max":{"text":LATE}}"#, r#"{"text":EARLY}"#, r#"{"text":EARLY}"#),
        (r#"{"$addToSet":{"at":{"$each":[SAME,LATE]}}}"#, r#"{"at":[EARLY]}"#, r#"{"at":[EARLY,LATE]}"#),
        (r#"{"$addToSet":{"text":SAME}}"#, r#"{"text":[EARLY]}"#, r#"{"text":[EARLY,SAME]}"#),
        (r#"{"$pull":{"at":SAME}}"#, r#"{"at":[EARLY,LATE]}"#, r#"{"at":[LATE]}"#),
    ] {
        let dates = |text: &str| {
            let dates = [("EARLY", early), ("LATE", late), ("SAME", same)];
            dates
                .iter()
                .fold(text.to_owned(), |text, (name, date)| text.replace(name, &format!("\"{date}\"")))
        };
        let mut changed = parse(&dates(document));
        Update::parse_with(&parse(&dates(update)), &moments).unwrap().apply(&mut changed).unwrap();
        assert_eq!(changed.to_string(), dates(expected), "{update} of {document}");
    }
}
