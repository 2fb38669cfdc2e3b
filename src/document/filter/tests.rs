use super::*;
use crate::document::raw::Encoded;

fn parse(text: &str) -> Value {
    Value::parse(text).unwrap()
}

#[track_caller]
fn check(query: &str, document: &str, expected: bool) {
    let filter = Filter::parse(&parse(query)).unwrap_or_else(|refused| panic!("{refused}"));
    assert_eq!(filter.matches(Encoded::of(&parse(document)).raw()), expected, "{query} of {document}");
}

#[test]
fn values_of_one_kind_are_compared() {
    let row = r#"{"age":30,"name":"Ada","price":9007199254740993,"ok":true,"none":null}"#;
    for (query, expected) in [
        ("{}", true),
        (r#"{"age":30.0}"#, true),
        (r#"{"age":"30"}"#, false),
        (r#"{"age":{"$gte":24,"$lte":35},"name":"Ada"}"#, true),
        (r#"{"age":{"$gte":24,"$lte":29}}"#, false),
        (r#"{"age":{"$gt":30}}"#, false),
        (r#"{"age":{"$lt":30.5}}"#, true),
        (r#"{"price":9007199254740992}"#, false),
        (r#"{"price":{"$gt":9007199254740992}}"#, true),
        (r#"{"name":{"$gt":"A"}}"#, true),
        (r#"{"name":{"$gt":1}}"#, false),
        (r#"{"name":{"$lt":1}}"#, false),
        (r#"{"ok":1}"#, false),
        (r#"{"ok":{"$in":[1,true]}}"#, true),
        (r#"{"age":{"$in":[]}}"#, false),
        (r#"{"age":{"$nin":[]}}"#, true),
        (r#"{"age":{"$nin":[1,30]}}"#, false),
        (r#"{"age":{"$ne":31}}"#, true),
        (r#"{"age":{"$ne":"30"}}"#, true),
        (r#"{"none":null}"#, true),
        (r#"{"none":{"$exists":true}}"#, true),
        (r#"{"name":{"$regex":"^a","$options":"i"}}"#, true),
        (r#"{"name":{"$regex":"da$","$gt":"A"}}"#, true),
        (r#"{"name":{"$regex":"^d"}}"#, false),
        (r#"{"age":{"$regex":"3"}}"#, false),
        (r#"{"age":{"$mod":[7,2]}}"#, true),
        (r#"{"age":{"$mod":[7,3]}}"#, false),
        (r#"{"name":{"$mod":[7,3]}}"#, false),
        (r#"{"age":{"$type":["string","number"]}}"#, true),
        (r#"{"age":{"$not":{"$gt":20,"$lt":25}}}"#, true),
        (r#"{"$or":[{"age":1},{"name":"Ada"}]}"#, true),
        (r#"{"$and":[{"age":30},{"name":"Bob"}]}"#, false),
        (r#"{"$nor":[{"age":1},{"name":"Bob"}]}"#, true),
    ] {
        check(query, row, expected);
    }
}

#[test]
fn what_is_not_there_matches_nothing_but_that_it_is_not() {
    for (query, expected) in [
        (r#"{"x":null}"#, false),
        (r#"{"x":{}}"#, false),
        (r#"{"x":{"$ne":1}}"#, false),
        (r#"{"x":{"$nin":[1]}}"#, false),
        (r#"{"x":{"$not":{"$eq":1}}}"#, false),
        (r#"{"x":{"$exists":false}}"#, true),
        (r#"{"x":{"$exists":true}}"#, false),
        (r#"{"x":{"$exists":false,"$ne":1}}"#, false),
        (r#"{"$nor":[{"x":1}]}"#, true),
        (r#"{"a":{}}"#, true),
        (r#"{"a":{"$exists":false}}"#, false),
    ] {
        check(query, r#"{"a":1}"#, expected);
    }
}

#[test]
fn arrays_and_objects() {
    let row = r#"{"tags":["a","b",["c"]],"at":{"y":1,"x":2},"list":[{"k":"p","n":1},{"k":"q","n":5},7]}"#;
    for (query, expected) in [
        (r#"{"tags":"a"}"#, true),
        (r#"{"tags":"c"}"#, false),
        (r#"{"tags":{"$eq":["c"]}}"#, true),
        (r#"{"tags":["a","b",["c"]]}"#, true),
        (r#"{"tags":["a","b"]}"#, false),
        (r#"{"tags":{"$ne":"a"}}"#, false),
        (r#"{"tags":{"$nin":["x","b"]}}"#, false),
        (r#"{"tags":{"$all":["b","a"]}}"#, true),
        (r#"{"tags":{"$all":["b","x"]}}"#, false),
        (r#"{"tags":{"$size":3}}"#, true),
        (r#"{"tags":{"$size":2}}"#, false),
        (r#"{"tags.0":"a"}"#, true),
        (r#"{"tags":{"$type":"array"}}"#, true),
        (r#"{"at":{"$eq":{"x":2.0,"y":1}}}"#, true),
        (r#"{"at.x":{"$gt":1}}"#, true),
        (r#"{"list.n":5}"#, true),
        (r#"{"list.n":{"$gt":5}}"#, false),
        (r#"{"list":{"$elemMatch":{"k":"p","n":5}}}"#, false),
        (r#"{"list":{"$elemMatch":{"k":"q","n":{"$gte":5}}}}"#, true),
        (r#"{"list":{"$elemMatch":{"$gt":6,"$lt":8}}}"#, true),
        (r#"{"list":{"$elemMatch":{"$gt":7}}}"#, false),
        (r#"{"list":{"$elemMatch":{"$or":[{"k":"x"},{"n":1}]}}}"#, true),
        (r#"{"at":{"$elemMatch":{"x":2}}}"#, false),
    ] {
        check(query, row, expected);
    }
}

#[test]
fn what_is_no_filter_is_refused_with_its_place() {
    for (query, at, why) in [
        ("[]", "", "an object of conditions"),
        (r#"{"$where":"x"}"#, "$where", "names of members"),
        (r#"{"a..b":1}"#, "a..b", "no path"),
        (r#"{"a":{"$like":1}}"#, "a.$like", "no such operator"),
        (r#"{"a":{"b":1}}"#, "a.b", "use `$eq`"),
        (r#"{"a":{"$gt":1,"b":1}}"#, "a.b", "an operator is expected"),
        (r#"{"a":{"$in":"abc"}}"#, "a.$in", "an array"),
        (r#"{"a":{"$nin":{}}}"#, "a.$nin", "an array"),
        (r#"{"$or":[]}"#, "$or", "at least one"),
        (r#"{"$and":[{"a":1},{"b":{"$x":1}}]}"#, "$and.1.b.$x", "no such operator"),
        (r#"{"a":{"$not":5}}"#, "a.$not", "an object of operators"),
        (r#"{"a":{"$exists":1}}"#, "a.$exists", "true or false"),
        (r#"{"a":{"$type":"int"}}"#, "a.$type", "names of types"),
        (r#"{"a":{"$size":-1}}"#, "a.$size", "from 0 on"),
        (r#"{"a":{"$size":1.5}}"#, "a.$size", "from 0 on"),
        (r#"{"a":{"$mod":[0,1]}}"#, "a.$mod", "not 0"),
        (r#"{"a":{"$mod":[2]}}"#, "a.$mod", "a remainder"),
        (r#"{"a":{"$regex":1}}"#, "a.$regex", "the text of a pattern"),
        (r#"{"a":{"$regex":"("}}"#, "a.$regex", "unclosed group"),
        (r#"{"a":{"$regex":"a","$options":"g"}}"#, "a.$regex", "no option g"),
        (r#"{"a":{"$options":"i"}}"#, "a.$options", "beside `$regex`"),
        (r#"{"a":{"$elemMatch":1}}"#, "a.$elemMatch", "an object of conditions"),
    ] {
        let refused = Filter::parse(&parse(query)).unwrap_err();
        assert!(refused.at == at && refused.why.contains(why), "{query}: {refused}");
    }
}

#[test]
fn what_implies_what() {
    let of = |text: &str| Filter::parse(&parse(text)).unwrap();
    for (query, partial, expected) in [
        (r#"{"a":1,"b":2}"#, r#"{"b":2}"#, true),
        (r#"{"$and":[{"b":2}]}"#, r#"{"b":2}"#, true),
        (r#"{"b":{"$gt":5}}"#, r#"{"b":{"$exists":true}}"#, true),
        (r#"{"b":{"$exists":false}}"#, r#"{"b":{"$exists":true}}"#, false),
        (r#"{"$or":[{"b":2}]}"#, r#"{"b":2}"#, false),
        (r#"{"b":3}"#, r#"{"b":2}"#, false),
        ("{}", "{}", true),
    ] {
        assert_eq!(of(query).implies(&of(partial)), expected, "{query} {partial}");
    }
}

#[test]
fn a_query_has_few_patterns() {
    let query = |count| {
        let one = r#"{"a":{"$regex":"x"}}"#;
        Filter::parse(&parse(&format!(r#"{{"$or":[{}]}}"#, vec![one; count].join(","))))
    };
    assert!(query(16).is_ok());
    assert!(query(17).unwrap_err().why.contains("16 patterns"));
}
